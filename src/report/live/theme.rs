use ratatui::style::{Color, Modifier, Style};

/// How things of a kind look. Without colours they differ by weight and by their characters alone.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub colours: bool,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    Allowed,
    Blocked,
    Failed,
}

impl Came {
    pub const ALL: [Came; 3] = [Came::Allowed, Came::Blocked, Came::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Came::Allowed => "allowed",
            Came::Blocked => "blocked",
            Came::Failed => "failed",
        }
    }

    /// What a cell is filled with.
    pub fn block(self, theme: Theme) -> &'static str {
        match self {
            _ if theme.colours => "█",
            Came::Allowed => "█",
            Came::Blocked => "▒",
            Came::Failed => "╳",
        }
    }

    /// Told apart also by those who do not tell red from green.
    pub fn colour(self, theme: Theme) -> Color {
        match self {
            _ if !theme.colours => Color::Reset,
            Came::Allowed => Color::Cyan,
            Came::Blocked => Color::Yellow,
            Came::Failed => Color::Red,
        }
    }
}

impl Theme {
    /// By <https://no-color.org>.
    pub fn of_environment() -> Theme {
        let no_colour = std::env::var_os("NO_COLOR");
        Theme {
            colours: no_colour.is_none_or(|value| value.is_empty()),
        }
    }

    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of what is there to explain the rest.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn good(self) -> Style {
        self.coloured(Color::Green).add_modifier(Modifier::BOLD)
    }

    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Of what should be seen from afar.
    pub fn badge(self, colour: Color) -> Style {
        self.coloured(colour)
            .add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    pub fn coloured(self, colour: Color) -> Style {
        match self.colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }
}
