//! What a new password may be, besides what Keystone's own rules say: as NIST SP 800-63B-4 (3.1.1.2) asks for, that is
//! length, a block list, and no rules about kinds of characters.
//!
//! A password is taken exactly as it was typed: nothing is trimmed, folded or normalised, since the programs that
//! users log in with do not do so either. Blanks count, also at either end, and every character of Unicode may be in it but
//! control characters: no field to log in with takes those, and NUL ends the text for some programs.

use std::collections::HashSet;
use std::sync::LazyLock;

use secrecy::{ExposeSecret, SecretString};

use crate::keystone::User;

/// How few characters a password may have, whatever the settings say.
pub use crate::settings::setpass::SHORTEST_PASSWORD as SHORTEST;

/// How many characters a password may have. What Keystone takes may be less; it says so itself.
pub const LONGEST: usize = 128;

/// How few letters a word of the site or the user has that a password may not be made of.
const SHORTEST_WORD: usize = 4;

/// Almost twenty thousand passwords that are guessed first, in small letters; see `data/common-passwords.LICENSE.txt`.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("../../data/common-passwords.txt").lines().collect());

/// Why a password cannot be one. Never quotes it.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnusablePassword {
    /// It has too few characters.
    #[error("the password has fewer than {shortest} characters")]
    TooShort {
        /// How many it has to have.
        shortest: usize,
    },
    /// It has too many characters.
    #[error("the password has more than {LONGEST} characters")]
    TooLong,
    /// It holds a tab, a line break or another control character.
    #[error("the password holds a control character")]
    ControlCharacter,
    /// It is among those that are guessed first.
    #[error("the password is among those that are guessed first")]
    Common,
    /// It is little more than the name of the user or the site.
    #[error("the password is little more than the name of the user or the site")]
    Name,
}

/// The rules of a site.
#[derive(Clone, Debug)]
pub(super) struct PasswordRules {
    shortest: usize,
    /// Words of the site's name, longest first.
    site: Vec<String>,
}

impl PasswordRules {
    pub(super) fn new(shortest: usize, site_name: &str) -> Self {
        Self { shortest, site: words([site_name]) }
    }

    /// What can be said before it is known whose password it is.
    pub(super) fn check(&self, password: &SecretString) -> Result<(), UnusablePassword> {
        let password = password.expose_secret();
        if password.contains(char::is_control) {
            return Err(UnusablePassword::ControlCharacter);
        }
        let length = password.chars().count();
        if length < self.shortest {
            return Err(UnusablePassword::TooShort { shortest: self.shortest });
        }
        if length > LONGEST {
            return Err(UnusablePassword::TooLong);
        }
        if is_common(password) {
            return Err(UnusablePassword::Common);
        }
        without_words(password, &self.site)
    }

    /// What can be said when it is known.
    pub(super) fn check_for(&self, password: &SecretString, user: &User) -> Result<(), UnusablePassword> {
        let known = [Some(&user.name), user.email.as_ref(), user.description.as_ref()];
        let mut words = words(known.into_iter().flatten().map(String::as_str));
        words.extend(self.site.iter().cloned());
        words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
        without_words(password.expose_secret(), &words)
    }
}

/// Whether it is on the block list, in whatever letters and with blanks around it, or one character again and again.
fn is_common(password: &str) -> bool {
    let folded = password.trim().to_lowercase();
    let mut characters = folded.chars();
    let first = characters.next();
    COMMON.contains(folded.as_str()) || characters.all(|character| Some(character) == first)
}

/// Refuses a password that is not good enough without these words.
fn without_words(password: &str, words: &[String]) -> Result<(), UnusablePassword> {
    let whole = letters(password);
    let rest = words.iter().fold(whole.clone(), |rest, word| rest.replace(word.as_str(), ""));
    if rest.len() < whole.len() && (rest.chars().count() < SHORTEST || is_common(&rest)) {
        return Err(UnusablePassword::Name);
    }
    Ok(())
}

/// Each text as one word, and the words that it is made of, the longest first.
fn words<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in texts {
        let parts = text.split(|character: char| !character.is_alphanumeric());
        words.extend(std::iter::once(text).chain(parts).map(letters));
        // What stands before the at sign is a name of its own.
        words.extend(text.split_once('@').map(|(local, _)| letters(local)));
    }
    words.retain(|word| word.chars().count() >= SHORTEST_WORD);
    words.sort_unstable_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    words.dedup();
    words
}

/// The letters and digits of a text, in small letters.
fn letters(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> PasswordRules {
        PasswordRules::new(SHORTEST, "Example Cloud")
    }

    fn check(password: &str) -> Result<(), UnusablePassword> {
        rules().check(&password.into())
    }

    #[test]
    fn length_is_counted_in_characters_and_bounded_both_ways() {
        let shortest = SHORTEST;
        assert_eq!(check("häßlich"), Err(UnusablePassword::TooShort { shortest }));
        assert_eq!(check(""), Err(UnusablePassword::TooShort { shortest }));
        assert_eq!(check("häßlicher"), Ok(()));
        assert_eq!(check("四つの単語の合言葉"), Ok(()));
        assert_eq!(check(&"🐎 battery staple ".repeat(4)), Ok(()), "64 and more");
        assert_eq!(check(&"äx".repeat(64)), Ok(()));
        assert_eq!(check(&format!("{}y", "äx".repeat(64))), Err(UnusablePassword::TooLong));
        let longer = PasswordRules::new(15, "");
        assert_eq!(longer.check(&"fourteen chars".into()), Err(UnusablePassword::TooShort { shortest: 15 }));
        assert_eq!(longer.check(&"fifteen chars !".into()), Ok(()));
    }

    #[test]
    fn blanks_count_and_control_characters_are_refused() {
        for right in ["  zwölfe ", " two words", "no\u{a0}break", "e\u{301}clair au chocolat"] {
            assert_eq!(check(right), Ok(()), "{right:?}");
        }
        for wrong in
            ["with\0nul inside", "a tab\there", "line\nbreak here", "\u{7f}delete it", "next\u{85}line"]
        {
            assert_eq!(check(wrong), Err(UnusablePassword::ControlCharacter), "{wrong:?}");
        }
    }

    #[test]
    fn no_kind_of_character_is_asked_for() {
        for right in ["onlysmallletters", "ONLYCAPITALS", "8350174926", "++--!!??"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
    }

    #[test]
    fn what_is_guessed_first_is_refused_in_whatever_letters() {
        assert!(COMMON.len() > 19_000, "{}", COMMON.len());
        for common in
            ["password1", "Password1", " iloveyou ", "1Q2W3E4R5T", "aaaaaaaaa", "        ", "ÄÄÄÄÄÄÄÄ"]
        {
            assert_eq!(check(common), Err(UnusablePassword::Common), "{common:?}");
        }
        assert_eq!(check("password1 and some more"), Ok(()), "whole passwords are compared, not parts");
    }

    #[test]
    fn names_of_the_site_and_the_user_do_not_make_a_password() {
        for named in ["Example-Cloud 2026", "cloud2026", "mycloudexample", "example/password"] {
            assert_eq!(check(named), Err(UnusablePassword::Name), "{named}");
        }
        for right in ["my cloud likes green turtles", "an example of green turtles"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        let user = User {
            id: "u1".to_owned(),
            name: "maria.weber@physics.example.org".to_owned(),
            email: Some("maria.weber@physics.example.org".to_owned()),
            description: Some("Maria Weber".to_owned()),
            enabled: true,
            default_project_id: None,
            marker: None,
            options: crate::keystone::UserOptions::default(),
        };
        let check_for = |password: &str| rules().check_for(&password.into(), &user);
        for named in
            ["Maria.Weber@physics.example.org", "mariaweber1", "weber2026!", "physics1234", "Weber Cloud 1"]
        {
            assert_eq!(check_for(named), Err(UnusablePassword::Name), "{named}");
        }
        for right in ["mariachi plays at noon", "four green turtles", "weber's four green turtles"] {
            assert_eq!(check_for(right), Ok(()), "{right}");
        }
    }
}
