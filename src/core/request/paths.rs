use super::{Placeholder, Template};

/// The path of each request, by its target.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The path for targets that have none of their own.
    common: Template,
    /// By target. Targets beyond the list have none of their own.
    own: Vec<Option<Template>>,
}

impl From<Template> for Paths {
    /// One path for all targets.
    fn from(common: Template) -> Paths {
        Paths {
            common,
            own: Vec::new(),
        }
    }
}

impl Paths {
    /// The targets' own paths, in the order of the targets. The others have the `common` one.
    pub fn new(common: Template, own: Vec<Option<Template>>) -> Paths {
        Paths { common, own }
    }

    /// The path of the requests to a target. It is appended to the target's base URL.
    pub fn of(&self, target: usize) -> &Template {
        let own = self.own.get(target).and_then(Option::as_ref);
        own.unwrap_or(&self.common)
    }

    /// The path that is common to all targets without one of their own. `None` if every target has one.
    fn common(&self) -> Option<&Template> {
        let is_used = self.own.is_empty() || self.own.contains(&None);
        is_used.then_some(&self.common)
    }

    /// Every path that some request has.
    pub fn all(&self) -> impl Iterator<Item = &Template> {
        self.own.iter().flatten().chain(self.common())
    }

    pub fn has(&self, placeholder: Placeholder) -> bool {
        self.all().any(|path| path.has(placeholder))
    }

    pub(super) fn map(&self, change: impl Fn(&Template) -> Template) -> Paths {
        let own = self.own.iter();
        Paths {
            common: change(&self.common),
            own: own.map(|own| own.as_ref().map(&change)).collect(),
        }
    }

    /// The only path, or words for several ones.
    pub(super) fn describe(&self, show: impl Fn(&Template) -> String) -> String {
        let mut paths = self.all().map(&show);
        let first = paths.next().unwrap_or_default();
        if paths.all(|path| path == first) {
            return first;
        }
        match self.common() {
            Some(common) => format!("{}, or the path of the target", show(common)),
            None => "the path of the target".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Template {
        text.parse().expect(text)
    }

    #[test]
    fn a_target_has_its_own_path_or_the_common_one() {
        for (own, expected, described) in [
            (vec![], ["/c", "/c"], "/c"),
            (
                vec![Some("/a"), None],
                ["/a", "/c"],
                "/c, or the path of the target",
            ),
            (vec![Some("/a"), Some("/a")], ["/a", "/a"], "/a"),
            (
                vec![Some("/a"), Some("/b")],
                ["/a", "/b"],
                "the path of the target",
            ),
            (vec![Some("/c"), None], ["/c", "/c"], "/c"),
        ] {
            let own = own.into_iter().map(|own| own.map(path)).collect();
            let paths = Paths::new(path("/c"), own);
            assert_eq!([0, 1].map(|target| paths.of(target).typed()), expected);
            assert_eq!(paths.describe(|path| path.typed().to_owned()), described);
        }
    }

    #[test]
    fn a_path_that_no_request_has_does_not_count() {
        let own = vec![Some(path("/a"))];
        assert!(!Paths::new(path("/{key}"), own).has(Placeholder::Key));
        let own = vec![Some(path("/a")), None];
        assert!(Paths::new(path("/{key}"), own).has(Placeholder::Key));
    }
}
