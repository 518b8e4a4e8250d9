//! URLs as they are typed, as arguments or as the value of `--targets`.

/// The id of the URLs that are arguments without an option.
pub(super) const URLS: &str = "urls";

pub(super) const URL_LIST: &str = "must be http or https URLs, such as http://127.0.0.1:8000, or Unix sockets, such as unix:/run/app.sock";

pub(super) const ONE_URL: &str = "must be an http or https URL, such as http://127.0.0.1:8000/v1/items, or a Unix socket, such as unix:/run/app.sock";

/// Whether an argument is meant as a URL.
pub(super) fn is_url(text: &str) -> bool {
    text.contains("://") || text.starts_with("unix:")
}

pub(super) fn url(text: &str) -> Result<String, String> {
    let url = text.trim();
    if [",http://", ",https://", ",unix:"]
        .iter()
        .any(|next| url.contains(next))
    {
        return Err("must be one URL; put spaces between several".to_owned());
    }
    match is_url(url) {
        true => Ok(url.to_owned()),
        false => Err(format!("{ONE_URL}; it has no http:// or https://")),
    }
}

/// A list of URLs with no empty element.
#[derive(Debug, Clone)]
pub struct Urls(pub Vec<String>);

pub(super) fn urls(text: &str) -> Result<Urls, String> {
    const ALLOWED: &str =
        "must be one or more http or https URLs, or Unix sockets, separated by commas";
    if text.trim().is_empty() {
        return Err(format!("{ALLOWED}; there is none"));
    }
    let urls: Vec<_> = text.split(',').map(|url| url.trim().to_owned()).collect();
    if let Some(empty) = urls.iter().position(String::is_empty) {
        return Err(format!("{ALLOWED}; element {} is empty", empty + 1));
    }
    Ok(Urls(urls))
}
