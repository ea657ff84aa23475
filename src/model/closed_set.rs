/// A set of values that is complete by construction: `closed_set!` derives count,
/// order and words from one list, so no table can disagree with the enum.
pub(crate) trait ClosedSet: Copy + 'static {
    /// How many values there are: the length of a table with one entry each.
    const COUNT: usize;

    /// The position in the list, below [`COUNT`](Self::COUNT).
    fn index(self) -> usize;

    /// The value at a position. `None` for a number that no value has.
    fn from_index(index: usize) -> Option<Self>;
}

/// Declares an enum with `ALL`, `as_str`, `Display`, [`ClosedSet`] and, with the feature
/// `serde`, `Serialize`: all from the one list of variants and their words.
macro_rules! closed_set {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$variant_meta:meta])*
                $variant:ident = $word:literal,
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        $vis enum $name {
            $(
                $(#[$variant_meta])*
                $variant,
            )+
        }

        impl $name {
            /// Every value, in the order of declaration.
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word used in labels, log events and JSON.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::model::ClosedSet for $name {
            const COUNT: usize = Self::ALL.len();

            #[inline]
            fn index(self) -> usize {
                self as usize
            }

            #[inline]
            fn from_index(index: usize) -> Option<Self> {
                Self::ALL.get(index).copied()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    closed_set! {
        enum Colour {
            Red = "red",
            Green = "green",
        }
    }

    #[test]
    fn order_count_and_words_come_from_one_list() {
        assert_eq!(Colour::ALL, [Colour::Red, Colour::Green]);
        assert_eq!(Colour::COUNT, 2);
        for (index, colour) in Colour::ALL.iter().enumerate() {
            assert_eq!(colour.index(), index);
            assert_eq!(Colour::from_index(index), Some(*colour));
        }
        assert_eq!(Colour::from_index(2), None);
        assert_eq!(Colour::Green.to_string(), "green");
    }
}
