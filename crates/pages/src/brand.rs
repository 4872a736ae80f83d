//! The operator's brand: name, logo, accent colour and support link.

use std::fmt;
use std::str::FromStr;

use crate::href::Href;

/// The operator's brand, from parameters of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The name of the service.
    pub name: String,
    /// The URL of a logo, with the scheme `https`.
    pub logo: Option<Href>,
    /// The colour of buttons and of the bar at the top.
    pub accent: Colour,
    /// A page or an address where a customer gets help.
    pub support: Option<Href>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: "Webhooks".to_owned(),
            logo: None,
            accent: Colour::DEFAULT,
            support: None,
        }
    }
}

impl Brand {
    /// The stylesheet that [`BrandStyle`](crate::paths::Route::BrandStyle) serves: the colour of
    /// the brand and a colour for text on it.
    pub fn stylesheet(&self) -> String {
        let Self { accent, .. } = self;
        let text = accent.text_on_it();
        format!(":root{{--accent:{accent};--on-accent:{text}}}\n")
    }
}

/// An opaque colour, `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// The text is not a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColourError;

impl fmt::Display for ColourError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a colour such as `#1f4fd8`")
    }
}

impl std::error::Error for ColourError {}

impl Colour {
    /// The colour without a brand.
    pub const DEFAULT: Self = Self([0x1f, 0x4f, 0xd8]);
    const BLACK: Self = Self([0; 3]);
    const WHITE: Self = Self([255; 3]);

    /// Black or white, whichever is easier to read on this colour. One of them always has a
    /// contrast of 4.5 or more, as WCAG 2.2 requires.
    fn text_on_it(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) {
            Self::WHITE
        } else {
            Self::BLACK
        }
    }

    /// The contrast by WCAG 2.2.
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl FromStr for Colour {
    type Err = ColourError;

    fn from_str(text: &str) -> Result<Self, ColourError> {
        let digits = text.strip_prefix('#').ok_or(ColourError)?;
        let is_hex = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).map_err(|_| ColourError)?;
        let [_, rgb @ ..] = number.to_be_bytes();
        is_hex.then_some(Self(rgb)).ok_or(ColourError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!("#1F4fd8".parse(), Ok(Colour::DEFAULT));
        assert_eq!(Colour::DEFAULT.to_string(), "#1f4fd8");
        for text in ["1f4fd8", "#fff", "#1f4fd8ff", "#+12345", "red", "#}*{x:"] {
            assert_eq!(text.parse::<Colour>(), Err(ColourError), "{text}");
        }
    }

    #[test]
    fn the_stylesheet_has_both_colours() {
        let brand = Brand {
            accent: "#ffcc00".parse().unwrap(),
            ..Brand::default()
        };
        assert_eq!(
            brand.stylesheet(),
            ":root{--accent:#ffcc00;--on-accent:#000000}\n"
        );
    }

    proptest! {
        #[test]
        fn text_on_every_colour_can_be_read(rgb: [u8; 3]) {
            let colour = Colour(rgb);
            prop_assert!(colour.contrast(colour.text_on_it()) >= 4.5);
        }
    }
}
