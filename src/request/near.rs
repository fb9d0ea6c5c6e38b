//! What was most likely meant by a word that is none, for whoever says "did you mean".

/// The one of `names` that is written most like `word`: with one slip in a short word,
/// more in a longer one, and never another name altogether.
pub fn near<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.len() / 3).clamp(1, 3);
    names
        .map(|name| (strsim::osa_distance(name, word), name))
        .filter(|(distance, name)| *distance <= most && *distance < name.len())
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn a_slip_is_answered_with_what_was_meant_and_another_word_with_nothing() {
        let names = ["ip", "mac", "bridge", "gateway"];
        for (word, meant) in [
            ("ipp", Some("ip")),
            ("mca", Some("mac")),
            ("brigde", Some("bridge")),
            ("gatweya", Some("gateway")),
            ("mtu", None),
            ("x", None),
            ("frobnicate", None),
        ] {
            assert_eq!(near(word, names.into_iter()), meant, "{word}");
        }
    }
}
