//! Keys as paths, and back.

use std::path::PathBuf;

use super::OnPremStore;
use crate::error::{ErrorKind, StoreError};

/// Longer parts of a key are cut. File systems allow 255 bytes; a cut piece carries one more.
const LONGEST_NAME: usize = 240;

/// Whether a name in the folder is ours and no object's.
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with('#')
}

impl OnPremStore {
    /// The path of a key; refuses what would leave the folder or meet a name of ours.
    pub(super) fn path_of(&self, key: &str) -> Result<PathBuf, StoreError> {
        let mut path = self.root.clone();
        for part in key.split('/') {
            let wrong = part.is_empty()
                || matches!(part, "." | "..")
                || part.starts_with('#')
                || part.ends_with('#')
                || part.contains(['\0', '\\']);
            if wrong {
                let say = format!("`{}` cannot be the key of an object", key.escape_debug());
                return Err(StoreError::new(ErrorKind::Other, say));
            }
            let mut rest = part;
            while rest.len() > LONGEST_NAME {
                let (piece, tail) = rest.split_at(cut_before(rest, LONGEST_NAME));
                path.push(format!("{piece}#"));
                // A piece must not look like a name of ours.
                rest = tail;
            }
            path.push(rest);
        }
        Ok(path)
    }
}

/// The last place up to `most` where a text can be cut so that the rest does not begin with `#`.
fn cut_before(text: &str, most: usize) -> usize {
    (1..=most)
        .rev()
        .find(|&at| text.is_char_boundary(at) && !text[at..].starts_with('#'))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use domain::storage::OnPremPolicy;

    use super::*;

    fn store() -> OnPremStore {
        OnPremStore::new(&OnPremPolicy {
            path: "/srv/x".to_owned(),
        })
    }

    #[test]
    fn keys_that_would_leave_the_folder_are_refused() {
        for key in [
            "",
            "/",
            "/etc/passwd",
            "a/../b",
            "..",
            "a/..",
            ".",
            "a//b",
            "a/",
            "a/./b",
            "a\0b",
            "a\\b",
            "#store",
            "a/#tmp-1",
            "a#/b",
        ] {
            assert!(store().path_of(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn ordinary_keys_are_their_own_path() {
        for key in [
            "a",
            "a/b.json.gz",
            "_ledger/x/y.json",
            ".hidden/..x",
            "%2E%2E/a b",
            "ä/ü",
        ] {
            let path = store().path_of(key).expect("fine");
            assert_eq!(path, PathBuf::from(format!("/srv/x/{key}")));
        }
    }

    #[test]
    fn long_parts_fit_into_file_names() {
        for part in [
            "x".repeat(1_500),
            "ü".repeat(700),
            format!("{}#y", "#x".repeat(600).trim_start_matches('#')),
        ] {
            let path = store().path_of(&format!("{part}/z")).expect("fine");
            let names: Vec<&str> = path.iter().filter_map(|name| name.to_str()).collect();
            assert!(
                names.iter().all(|name| name.len() <= 255 && !is_reserved(name)),
                "{names:?}"
            );
            let joined: String = names[3..names.len() - 1]
                .iter()
                .map(|name| name.strip_suffix('#').unwrap_or(name))
                .collect();
            assert_eq!(joined, part);
        }
    }
}
