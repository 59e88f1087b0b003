//! The macro that declares settings.

/// Declares settings; see [the module](mod@crate::settings).
///
/// Settings are declared in groups, which are the headings of the help text. A group `"Model" as
/// ModelConfig(extra: Type)` also becomes a separate struct with the same settings and one more
/// field, `extra`, which depends on the data. `Config::model(extra)` builds this struct, and
/// `Config::with_model` copies its settings back.
///
/// A setting is preceded by, in this order: its doc comment; `#[alias = "..."]` for each other name;
/// `#[setting(...)]` with the methods of [`Options`](crate::settings::Options).
#[macro_export]
macro_rules! settings {
    // One struct, its defaults and its table.
    (@struct $(#[$meta:meta])* $config:ident [$( $(#[$extra_meta:meta])* $extra:ident : $extra_type:ty )?] {
        $( $group:literal { $(
            $(#[doc = $doc:literal])+
            $(#[alias = $alias:literal])*
            $(#[setting($( $option:ident $(($($argument:tt)*))? ),+)])?
            $name:ident : $type:ty = $default:expr,
        )* } )*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $config {
            $( $(#[$extra_meta])* pub $extra: $extra_type, )?
            $( $(
                $(#[doc = $doc])+
                pub $name: $type,
            )* )*
        }

        impl ::std::default::Default for $config {
            fn default() -> Self {
                Self {
                    $( $extra: ::std::default::Default::default(), )?
                    $( $( $name: $default, )* )*
                }
            }
        }

        impl ::serde::Serialize for $config {
            fn serialize<S: ::serde::Serializer>(&self, file: S) -> Result<S::Ok, S::Error> {
                $crate::settings::file::serialize(self, file)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $config {
            fn deserialize<D: ::serde::Deserializer<'de>>(file: D) -> Result<Self, D::Error> {
                $crate::settings::file::deserialize(file)
            }
        }

        impl $crate::settings::Settings for $config {
            $(
                const FROM_DATA: Option<(&'static str, $crate::settings::Stored<Self>)> = Some((
                    stringify!($extra),
                    $crate::settings::Stored {
                        read: |config, value| {
                            $crate::settings::value::from_value(value).map(|value| config.$extra = value)
                        },
                        write: |config| $crate::settings::value::to_value(&config.$extra),
                        set_absent: |_| (),
                    },
                ));
            )?
            const SETTINGS: &'static [$crate::settings::Setting<Self>] = &[
                $( $( {
                    type Value = $type;
                    const OPTIONS: $crate::settings::Options<Value> =
                        $crate::settings::Options::<Value>::new() $( $( .$option($( $($argument)* )?) )+ )?;
                    $crate::settings::Setting {
                        name: stringify!($name),
                        aliases: &[$($alias),*],
                        stored: $crate::settings::Stored {
                            read: |config, value| OPTIONS.from_value(value).map(|value| config.$name = value),
                            write: |config| $crate::settings::value::to_value(&config.$name),
                            set_absent: |config| {
                                if let Some(value) = OPTIONS.absent {
                                    config.$name = value();
                                }
                            },
                        },
                        doc: concat!($($doc, "\n"),+),
                        group: $group,
                        value_name: OPTIONS.value_name,
                        kind: <Value as $crate::settings::value::SettingValue>::KIND,
                        names: <Value as $crate::settings::value::SettingValue>::names,
                        role: OPTIONS.role,
                        has_flag: OPTIONS.has_flag,
                        get: |config| $crate::settings::value::SettingValue::to_text(&config.$name),
                        set: |config, text| (OPTIONS.from_text)(text).map(|value| config.$name = value),
                        copy: |from, to| to.$name = ::std::clone::Clone::clone(&from.$name),
                        check: |config| (OPTIONS.check)(&config.$name),
                        fits: |new, trained| (OPTIONS.fits)(&new.$name, &trained.$name),
                    }
                }, )* )*
            ];
        }
    };

    // A group that is also a separate struct, and the conversions to it and back.
    (@part $config:ident $group:literal [$($meta:tt)*] [] { $($body:tt)* }) => {};
    (@part $config:ident $group:literal [$($meta:tt)*]
        [$part:ident $(#[$extra_meta:meta])* $extra:ident : $extra_type:ty] { $($body:tt)* }) => {
        $crate::settings! {
            @struct $($meta)* $part [$(#[$extra_meta])* $extra : $extra_type] { $group { $($body)* } }
        }
        $crate::settings! { @convert $config $part [$extra : $extra_type] { $($body)* } }
    };
    (@convert $config:ident $part:ident [$extra:ident : $extra_type:ty] {
        $( $(#[$($meta:tt)*])* $name:ident : $type:ty = $default:expr, )*
    }) => {
        impl $config {
            /// The model that these settings describe.
            pub fn model(&self, $extra: $extra_type) -> $part {
                $part { $extra, $( $name: ::std::clone::Clone::clone(&self.$name), )* }
            }

            /// These settings, with the settings of the model replaced by those of `model`.
            pub fn with_model(self, model: &$part) -> Self {
                Self { $( $name: ::std::clone::Clone::clone(&model.$name), )* ..self }
            }
        }
    };

    ($(#[$meta:meta])* pub struct $config:ident {
        $(
            $(#[$part_meta:meta])*
            $group:literal
            $(as $part:ident ( $(#[$extra_meta:meta])* $extra:ident : $extra_type:ty ))?
            { $($body:tt)* }
        )*
    }) => {
        $crate::settings! { @struct $(#[$meta])* $config [] { $( $group { $($body)* } )* } }
        $(
            $crate::settings! {
                @part $config $group [$(#[$part_meta])*]
                [$( $part $(#[$extra_meta])* $extra : $extra_type )?] { $($body)* }
            }
        )*
    };
}
