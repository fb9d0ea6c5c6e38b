//! Numbers with units, read exactly: decimals without floating point.
//!
//! Units are those of tc(8) (lib/utils_math.c there), in any case. A unit that
//! means something else than it seems (`mbps` are bytes) is for its caller to
//! judge.

/// A unit and what one of it is worth, in the least unit of its table.
pub type Unit = (&'static str, u128);

/// Most digits that are read on either side of the point.
const MOST_DIGITS: usize = 20;

/// Splits `10.5mbit` into the number and the unit behind it; `None` where no
/// digit comes first.
pub fn split(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some((number, unit))
}

/// The value of a decimal number in units of `1/per`, rounded down; `None`
/// when it is no number or beyond 64 bits.
pub fn decimal(number: &str, worth: u128) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| {
        let fine = part.len() <= MOST_DIGITS && !part.is_empty();
        (fine && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u128>().ok())?
    };
    let one = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = digits(whole)?.checked_mul(worth)?;
    let fraction = digits(fraction)?.checked_mul(worth)? / one;
    u64::try_from(whole.checked_add(fraction)?).ok()
}

/// The value of a number with one of `units` behind it.
pub fn value(text: &str, units: &[Unit]) -> Option<u64> {
    let (number, unit) = split(text)?;
    let known = units
        .iter()
        .find(|(name, _)| unit.eq_ignore_ascii_case(name));
    decimal(number, known?.1)
}

/// The number and the largest of `units` that divides it; the first unit is
/// worth 1.
pub fn shortest(value: u64, units: &[Unit]) -> (u64, &'static str) {
    let mut shortest = (value, units.first().map_or("", |(name, _)| *name));
    for (name, worth) in units {
        let Ok(worth) = u64::try_from(*worth) else {
            continue;
        };
        if value > 0 && value.is_multiple_of(worth) {
            shortest = (value / worth, name);
        }
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;

    const BITS: &[Unit] = &[("bit", 1), ("kbit", 1000), ("mbit", 1_000_000)];

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("10mbit", Some(10_000_000)),
            ("1.5mbit", Some(1_500_000)),
            ("0.1KBIT", Some(100)),
            ("7bit", Some(7)),
            ("1.mbit", None),
            (".5mbit", None),
            ("1.2.3kbit", None),
            ("mbit", None),
            ("-1kbit", None),
            ("99999999999999999999mbit", None),
            ("999999999999999999999999bit", None),
        ] {
            assert_eq!(value(text, BITS), expected, "{text}");
        }
    }

    #[test]
    fn the_largest_unit_that_divides_is_shown() {
        assert_eq!(shortest(10_000_000, BITS), (10, "mbit"));
        assert_eq!(shortest(1_500, BITS), (1_500, "bit"));
        assert_eq!(shortest(0, BITS), (0, "bit"));
    }
}
