use ratatui::style::{Color, Modifier, Style};

/// The styles of the view. Without colours, parts differ by their weight and by their characters.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub colours: bool,
}

/// The outcomes that the chart counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Allowed,
    Blocked,
    Failed,
}

impl Outcome {
    /// From the bottom of the chart to its top.
    pub const ALL: [Outcome; 3] = [Outcome::Allowed, Outcome::Blocked, Outcome::Failed];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Blocked => "blocked",
            Outcome::Failed => "failed",
        }
    }

    /// The character of a full cell.
    pub fn block(self, theme: Theme) -> &'static str {
        match self {
            _ if theme.colours => "█",
            Outcome::Allowed => "█",
            Outcome::Blocked => "▒",
            Outcome::Failed => "╳",
        }
    }

    /// These colours also differ for people who cannot tell red from green.
    pub fn colour(self, theme: Theme) -> Color {
        match self {
            _ if !theme.colours => Color::Reset,
            Outcome::Allowed => Color::Cyan,
            Outcome::Blocked => Color::Yellow,
            Outcome::Failed => Color::Red,
        }
    }
}

impl Theme {
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Labels and other explanations.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn good(self) -> Style {
        self.coloured(Color::Green).add_modifier(Modifier::BOLD)
    }

    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Text that is visible from afar.
    pub fn badge(self, colour: Color) -> Style {
        self.coloured(colour)
            .add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    pub fn coloured(self, colour: Color) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}
