//! The known datasets: their files, sizes, checksums, licences and mirrors.

use super::{DataError, Pin};
use crate::error::nearest;

/// A file of a dataset.
#[derive(Debug, Clone, Copy)]
pub struct DataFile {
    /// Its name on the mirrors.
    pub name: &'static str,
    /// The SHA-256 that it must have.
    pub pin: Pin,
}

/// A dataset.
#[derive(Debug, Clone, Copy)]
pub struct Dataset {
    /// Its name on the command line.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// Its licence.
    pub licence: &'static str,
    /// Approximate download size in bytes.
    pub size: u64,
    /// Its files.
    pub files: &'static [DataFile],
    /// Download locations, tried in order, all of them `https`. A file's URL is mirror + name.
    pub mirrors: &'static [&'static str],
}

const fn file(name: &'static str, sha256: &'static str) -> DataFile {
    DataFile { name, pin: Pin::Content(sha256) }
}

const fn gzip_file(name: &'static str, sha256: &'static str) -> DataFile {
    DataFile { name, pin: Pin::Gzip(sha256) }
}

/// All datasets.
pub const DATASETS: &[Dataset] = &[
    Dataset {
        name: "mnist",
        about: "70,000 handwritten digits, 28x28 (LeCun, Cortes, Burges)",
        licence: "CC BY-SA 3.0",
        size: 11_369_318,
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ],
        mirrors: &[
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ],
    },
    Dataset {
        name: "fashion-mnist",
        about: "70,000 pictures of clothes, 28x28, ten classes (Zalando Research)",
        licence: "MIT",
        size: 30_878_645,
        files: &[
            gzip_file(
                "train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            gzip_file(
                "train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            gzip_file(
                "t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            gzip_file(
                "t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ],
        mirrors: &[
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        ],
    },
    Dataset {
        name: "tiny-shakespeare",
        about: "1,115,394 characters of Shakespeare (Karpathy's char-rnn)",
        licence: "public domain text",
        size: 1_115_394,
        files: &[file("input.txt", "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")],
        mirrors: &["https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"],
    },
    Dataset {
        name: "multi30k-de-en",
        about: "the German and English captions of multi30k (Elliott et al. 2016)",
        licence: "for research; see github.com/multi30k/dataset",
        size: 1_294_986,
        files: MULTI30K.split_at(6).0,
        mirrors: &["https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"],
    },
    Dataset {
        name: "multi30k",
        about: "31,014 picture captions in German, English and French (Elliott et al. 2016, 2017)",
        licence: "for research; see github.com/multi30k/dataset",
        size: 1_945_824,
        files: MULTI30K,
        mirrors: &["https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"],
    },
];

/// German and English first.
const MULTI30K: &[DataFile] = &[
    file("train.de.gz", "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72"),
    file("train.en.gz", "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6"),
    file("val.de.gz", "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660"),
    file("val.en.gz", "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227"),
    file("test_2016_flickr.de.gz", "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16"),
    file("test_2016_flickr.en.gz", "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182"),
    file("train.fr.gz", "5925a3c18f1587b6b54b87743106e6e8ab93618edb6f65d19eac0621f853a10d"),
    file("val.fr.gz", "5304e444d842e962b2dda4d816b70b22a1765b15401642b7ca37a67477e708dc"),
    file("test_2016_flickr.fr.gz", "cb3160d69b002bb638e66cc7612fcd56cb0af82eadc9c142dedc438afb885ef6"),
];

/// Looks up a dataset by name.
///
/// # Errors
/// [`DataError::Unknown`], which suggests the most similar name.
pub fn named(name: &str) -> Result<&'static Dataset, DataError> {
    DATASETS.iter().find(|d| d.name == name).ok_or_else(|| {
        let nearest = nearest(name, DATASETS.iter().map(|d| d.name));
        DataError::Unknown { name: name.into(), nearest: nearest.map(String::from) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Component, Path};

    /// Whether a name is that of a file or folder inside another folder, on every system.
    fn stays_inside(name: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let mut components = Path::new(name).components();
        let one = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
        one && name.chars().all(plain)
    }

    #[test]
    fn every_file_is_downloaded_over_tls_pinned_and_stays_in_its_folder() {
        for dataset in DATASETS {
            assert!(stays_inside(dataset.name), "{}", dataset.name);
            assert!(!dataset.mirrors.is_empty() && !dataset.files.is_empty() && dataset.size > 0);
            for mirror in dataset.mirrors {
                assert!(mirror.starts_with("https://") && mirror.ends_with('/'), "{mirror}");
            }
            for file in dataset.files {
                assert!(stays_inside(file.name), "{}", file.name);
                let (Pin::Content(sha256) | Pin::Gzip(sha256)) = file.pin;
                let is_sha256 = sha256.len() == 64 && sha256.chars().all(|c| "0123456789abcdef".contains(c));
                assert!(is_sha256, "{} of {}: {sha256}", file.name, dataset.name);
                assert!(matches!(file.pin, Pin::Content(_)) || file.name.ends_with(".gz"), "{}", file.name);
            }
        }
        assert!(
            !["", ".", "..", "../x", "a/b", "/etc/x", "a\\b", "C:x", "a\0"].into_iter().any(stays_inside)
        );
    }
}
