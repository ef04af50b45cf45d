//! What a PIN may be.

use secrecy::{ExposeSecret, SecretString};

/// How few digits a PIN may have. Sign-up forms ask for four; our own page asks for more.
pub const SHORTEST: usize = 4;

/// How many digits a PIN may have.
pub const LONGEST: usize = 12;

/// A PIN that cannot be one. Never quotes it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a PIN is {SHORTEST} to {LONGEST} digits")]
pub struct InvalidPin;

/// Whether it has the form of a PIN.
///
/// # Errors
/// Where it has not.
pub fn check(pin: &SecretString) -> Result<(), InvalidPin> {
    let pin = pin.expose_secret();
    if (SHORTEST..=LONGEST).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(InvalidPin)
    }
}

/// Whether a PIN is among those that are guessed first: one digit repeated, digits in a row up or
/// down, a few digits said again, digits in pairs, what may be a birthday, and, of four digits, a year of this century or
/// the last. What is no PIN at all is not among them.
///
/// Asked where a PIN is chosen with Usher: on its page, and at `usher password reset`. `PUT /token/USER_ID` and the sheet
/// go on taking what users have chosen before, with forms that refused nothing: a client from then would have no way to
/// tell them.
#[must_use]
pub fn is_trivial(pin: &SecretString) -> bool {
    if check(pin).is_err() {
        return false;
    }
    let pin = pin.expose_secret();
    let digits = pin.as_bytes();
    let every_step = |step: u8| digits.windows(2).all(|pair| (pair[0] - b'0' + step) % 10 == pair[1] - b'0');
    let said_again =
        (1..=digits.len() / 2).any(|part| digits.iter().zip(&digits[part..]).all(|(a, b)| a == b));
    let in_pairs = digits.len().is_multiple_of(2) && digits.chunks(2).all(|pair| pair[0] == pair[1]);
    let year = digits.len() == 4 && (pin.starts_with("19") || pin.starts_with("20"));
    every_step(1) || every_step(9) || said_again || in_pairs || year || may_be_a_birthday(digits)
}

/// Whether it reads as a day or month in which somebody alive may be born, as it is written anywhere.
fn may_be_a_birthday(digits: &[u8]) -> bool {
    let number = |from: usize, to: usize| {
        digits[from..to].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let is_month = |month: u32| (1..=12).contains(&month);
    let is_day = |month: u32, day: u32| {
        let last = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        is_month(month) && (1..=last).contains(&day)
    };
    let is_day_either_way = |one: u32, other: u32| is_day(one, other) || is_day(other, one);
    let is_year = |year: u32| (1900..2100).contains(&year);
    match digits.len() {
        // Years of two digits: every one of them is somebody's.
        6 => {
            is_day_either_way(number(0, 2), number(2, 4))
                || is_day(number(2, 4), number(4, 6))
                || (is_year(number(0, 4)) && is_month(number(4, 6)))
                || (is_month(number(0, 2)) && is_year(number(2, 6)))
        }
        8 => {
            (is_day_either_way(number(0, 2), number(2, 4)) && is_year(number(4, 8)))
                || (is_year(number(0, 4)) && is_day(number(4, 6), number(6, 8)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_four_to_twelve_ascii_digits() {
        for right in ["0042", "123456789012"] {
            assert_eq!(check(&right.into()), Ok(()), "{right}");
        }
        for wrong in ["", "123", "1234567890123", "12a4", " 1234", "-123", "١٢٣٤"] {
            assert_eq!(check(&wrong.into()), Err(InvalidPin), "{wrong}");
        }
    }

    #[test]
    fn pins_that_are_guessed_first_are_trivial() {
        for trivial in [
            "0000", "1234", "4321", "7890", "1984", "2026", "111111", "123456", "121212", "987654", "123123",
            "112233",
            // The 17th of April 1962, the 30th of November 2005 and February 1984, in every order.
            "170462", "041762", "620417", "301105", "113005", "051130", "198402", "021984", "290284",
            "17041962", "04171962", "19620417",
        ] {
            assert!(is_trivial(&trivial.into()), "{trivial}");
        }
        for usable in [
            "4711",
            "0815",
            "274916",
            "1990427",
            "310462",
            "300284",
            "621317",
            "001362",
            "198413",
            "130462000",
            "17042162",
            "30021984",
            "",
            "-1",
            "x",
        ] {
            assert!(!is_trivial(&usable.into()), "{usable}");
        }
    }
}
