//! The classes of a data set: their number, their names, and the label of the first.

use std::collections::BTreeMap;
use std::path::Path;

use super::family::Family;
use crate::bounded;
use crate::data::DataError;

/// The number of classes of MNIST: the digits 0 to 9.
pub const CLASSES: usize = 10;

/// The digits and letters of EMNIST, in the order of its labels.
const CHARACTERS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The data sets of EMNIST: the end of the name, the characters, and whether labels start at 1.
const EMNIST: [(&str, &str, bool); 6] = [
    ("letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", true),
    ("balanced", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", false),
    ("bymerge", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt", false),
    ("byclass", CHARACTERS, false),
    ("digits", "0123456789", false),
    ("mnist", "0123456789", false),
];

/// The classes of a data set. Class i has the label `first_label + i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    /// The label of the first class: 0, or 1 for letters.
    pub first_label: u8,
    /// The name of each class: a digit, a letter, or the label.
    pub names: Vec<String>,
}

impl Classes {
    /// The digits 0 to 9.
    pub fn digits() -> Self {
        Self::numbered(0, CLASSES)
    }

    fn numbered(first_label: u8, n: usize) -> Self {
        Self { first_label, names: (0..n).map(|i| (usize::from(first_label) + i).to_string()).collect() }
    }

    /// The classes of a data set with these labels, each with the path of its file. The name of the
    /// data set decides, or its file of characters, or else the labels.
    ///
    /// # Errors
    /// [`DataError`] names a label that cannot be right.
    pub fn of(family: &Family, labels: &[(&Path, &[u8])]) -> Result<Self, DataError> {
        let known = mapped(family).or_else(|| emnist(&family.name()));
        let largest = largest(labels);
        // Letters that someone has numbered from 0.
        let from_zero = labels.iter().any(|(_, labels)| labels.contains(&0));
        let known =
            known.map(|known| Self { first_label: known.first_label * u8::from(!from_zero), ..known });
        let classes = known.map_or_else(|| Self::by_label(labels), Ok)?;
        match largest {
            Some((path, i, label))
                if usize::from(label) >= usize::from(classes.first_label) + classes.names.len() =>
            {
                let (first, last) =
                    (classes.first_label, usize::from(classes.first_label) + classes.names.len() - 1);
                let why = format!(
                    "label number {i} is {label}, but labels of {} go from {first} to {last}",
                    family.name()
                );
                Err(DataError::file(path, why))
            }
            _ => Ok(classes),
        }
    }

    /// Labels up to 9 are digits, or the first few of them if none of these is missing. Larger labels
    /// start at 0 or 1, and most of the classes have to occur.
    fn by_label(labels: &[(&Path, &[u8])]) -> Result<Self, DataError> {
        let mut occurs = [false; 256];
        labels.iter().flat_map(|(_, labels)| *labels).for_each(|&label| occurs[usize::from(label)] = true);
        let Some((path, i, label)) = largest(labels) else { return Ok(Self::digits()) };
        let (distinct, largest) = (occurs.iter().filter(|&&occurs| occurs).count(), usize::from(label));
        if largest < CLASSES {
            let all = distinct == largest + 1 && distinct > 1;
            return Ok(Self::numbered(0, if all { distinct } else { CLASSES }));
        }
        let first_label = u8::from(!occurs[0] && occurs[1]);
        let n = largest + 1 - usize::from(first_label);
        if 2 * distinct < n {
            let why = format!(
                "label number {i} is {label}, but only {distinct} of the classes {first_label} to {label} occur: \
                 labels go from 0 to 9, or count all classes without gaps"
            );
            return Err(DataError::file(path, why));
        }
        Ok(Self::numbered(first_label, n))
    }

    /// Whether class i is called i.
    pub fn are_numbers(&self) -> bool {
        self.names.iter().enumerate().all(|(i, name)| *name == i.to_string())
    }
}

/// The largest label, where it stands first, and its file.
fn largest<'a>(labels: &[(&'a Path, &[u8])]) -> Option<(&'a Path, usize, u8)> {
    let all = labels.iter().flat_map(|(path, labels)| labels.iter().enumerate().map(|(i, &l)| (*path, i, l)));
    all.reduce(|best, this| if this.2 > best.2 { this } else { best })
}

/// The classes of EMNIST by the name of the data set.
fn emnist(name: &str) -> Option<Classes> {
    // The name goes on after `emnist`, which itself ends with `mnist`.
    let is_part = |part: &str| name.strip_suffix(part).is_some_and(|start| start.contains("emnist"));
    let (_, characters, from_one) = EMNIST.iter().find(|(part, ..)| is_part(part))?;
    Some(Classes { first_label: u8::from(*from_one), names: characters.chars().map(String::from).collect() })
}

/// The largest file that maps labels to characters: 256 lines.
const MAX_MAPPING_BYTES: u64 = 1 << 16;

/// The classes by the file that maps each label to the code of its character: `1 65 97` is A or a.
/// A file that says anything else is no such file.
fn mapped(family: &Family) -> Option<Classes> {
    let text = bounded::read_text(&family.mapping()?, MAX_MAPPING_BYTES, "a mapping of classes").ok()?;
    let mut names = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        let (label, code) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        names.insert(u8::try_from(label).ok()?, char::from_u32(code)?.to_string());
    }
    let (&first_label, &last) = (names.keys().next()?, names.keys().next_back()?);
    let whole = names.len() == usize::from(last - first_label) + 1 && first_label <= 1 && names.len() > 1;
    whole.then(|| Classes { first_label, names: names.into_values().collect() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::family::FILES;
    use std::fs;

    use super::*;

    /// The classes of labels in a folder of this name.
    fn classes(folder: &str, mapping: Option<&str>, labels: &[u8]) -> Result<Classes, String> {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(FILES[0]), "").unwrap();
        mapping.iter().for_each(|text| fs::write(folder.join("mapping.txt"), text).unwrap());
        let family = Family::find(&folder).unwrap();
        Classes::of(&family, &[(Path::new("train"), labels)]).map_err(|e| e.to_string())
    }

    #[test]
    fn the_labels_decide_how_many_classes_there_are() {
        let numbered = |first, n| Ok(Classes::numbered(first, n));
        let upto = |first: u8, last: u8| (first..=last).collect::<Vec<_>>();
        for (labels, want) in [
            (upto(0, 9), numbered(0, 10)),
            (vec![3, 7, 3], numbered(0, 10)),
            (upto(1, 9), numbered(0, 10)),
            (vec![5], numbered(0, 10)),
            (vec![], numbered(0, 10)),
            (upto(0, 3), numbered(0, 4)),
            (upto(0, 46), numbered(0, 47)),
            (upto(1, 26), numbered(1, 26)),
            (upto(0, 255), numbered(0, 256)),
            ([upto(1, 16), upto(18, 26)].concat(), numbered(1, 26)),
        ] {
            assert_eq!(classes("own", None, &labels), want, "{labels:?}");
        }
        let error = classes("own", None, &[1, 2, 1, 200]).unwrap_err();
        assert!(error.contains("label number 3 is 200") && error.contains("train"), "{error}");
    }

    #[test]
    fn emnist_has_names() {
        let letters = classes("emnist-letters", None, &[1, 26, 3]).unwrap();
        assert_eq!((letters.first_label, letters.names.len(), &*letters.names[25]), (1, 26, "Z"));
        assert_eq!(classes("emnist-letters", None, &[0, 25]).unwrap().first_label, 0);
        for (name, n, last) in
            [("balanced", 47, "t"), ("bymerge", 47, "t"), ("byclass", 62, "z"), ("digits", 10, "9")]
        {
            let classes = classes(&format!("emnist-{name}"), None, &[0, 3]).unwrap();
            assert_eq!((classes.names.len(), &**classes.names.last().unwrap()), (n, last));
        }
        // A folder that is called after all six has the classes of its labels.
        let letters: Vec<u8> = (1..=26).collect();
        assert_eq!(classes("emnist", None, &letters).unwrap(), Classes::numbered(1, 26));
        assert_eq!(classes("emnist-mnist", None, &[1]).unwrap(), Classes::digits());
        let error = classes("emnist-letters", None, &[1, 27]).unwrap_err();
        assert!(
            error.contains("label number 1 is 27, but labels of emnist-letters go from 1 to 26"),
            "{error}"
        );
        let greek = classes("greek", Some("0 945\n1 946\n2 947\n"), &[0, 2]).unwrap();
        assert_eq!(greek.names, ["α", "β", "γ"]);
        assert_eq!(classes("greek", Some("a b\n"), &[0, 1, 2]).unwrap(), Classes::numbered(0, 3));
    }
}
