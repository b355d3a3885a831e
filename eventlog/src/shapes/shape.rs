//! What a shape is, and how an aggregate declares its own.

/// The bytes of an event and what tells how to read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Event type: kind of stream in the high byte.
    pub event_type: u16,
    /// Schema of the bytes.
    pub schema: u16,
    /// The shape's bytes.
    pub bytes: Vec<u8>,
}

/// One line of the table in docs/events.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Kind of stream.
    pub stream: &'static str,
    /// Event type.
    pub event_type: u16,
    /// Schema.
    pub schema: u16,
    /// Name of the event.
    pub name: &'static str,
    /// Fields in the order of their bytes.
    pub fields: &'static [(&'static str, &'static str)],
}

/// Declares an aggregate's shapes: type number, schema, name and fields of each. Shapes behind `within` are
/// of one event that carries an enum: each of its variants has a type of its own, so that a release that
/// does not know a variant does not know its type. Shapes behind `was` are earlier schemas, which are only
/// decoded, by `From` into the newest.
macro_rules! shapes {
    ($module:ident
     $($number:literal $schema:literal $name:ident { $($field:ident: $ty:ty),* $(,)? })*
     $(within $outer:ident $inner:ident: $enum:ident
         $($in_number:literal $in_schema:literal $in_name:ident { $($in_field:ident: $in_ty:ty),* $(,)? })*
     ;)?
     $(was $old_number:literal $old_schema:literal $old:ident { $($old_field:ident: $old_ty:ty),* $(,)? } => $new:ident)*
    ) => {
        $(
            #[derive(serde::Serialize, serde::Deserialize)]
            struct $name { $($field: $ty),* }

            impl From<$name> for holdfast_engine::$module::Event {
                fn from(shape: $name) -> Self {
                    Self::$name { $($field: shape.$field),* }
                }
            }
        )*
        $($(
            #[derive(serde::Serialize, serde::Deserialize)]
            struct $in_name { $($in_field: $in_ty),* }

            impl From<$in_name> for holdfast_engine::$module::Event {
                fn from(shape: $in_name) -> Self {
                    Self::$outer { $inner: $enum::$in_name { $($in_field: shape.$in_field),* } }
                }
            }
        )*)?
        $(
            #[derive(serde::Serialize, serde::Deserialize)]
            struct $old { $($old_field: $old_ty),* }
        )*

        /// All shapes of this aggregate.
        pub(super) const SHAPES: &[$crate::shapes::shape::Shape] = &[
            $($crate::shapes::shape::Shape {
                stream: stringify!($module), event_type: $number, schema: $schema,
                name: stringify!($name),
                fields: &[$((stringify!($field), stringify!($ty))),*],
            },)*
            $($($crate::shapes::shape::Shape {
                stream: stringify!($module), event_type: $in_number, schema: $in_schema,
                name: concat!(stringify!($outer), stringify!($in_name)),
                fields: &[$((stringify!($in_field), stringify!($in_ty))),*],
            },)*)?
            $($crate::shapes::shape::Shape {
                stream: stringify!($module), event_type: $old_number, schema: $old_schema,
                name: stringify!($old),
                fields: &[$((stringify!($old_field), stringify!($old_ty))),*],
            },)*
        ];

        /// A sample of a shape: its bytes, and the event they stand for.
        #[cfg(test)]
        pub(super) fn sample(
            (event_type, schema): (u16, u16),
            sampler: &mut $crate::shapes::sample::Sampler,
        ) -> (Vec<u8>, holdfast_engine::$module::Event) {
            use serde::Deserialize;
            match (event_type, schema) {
                $(($number, $schema) => {
                    let shape = $name::deserialize(sampler).unwrap();
                    (crate::codec::encode_event(&shape).unwrap(), shape.into())
                })*
                $($(($in_number, $in_schema) => {
                    let shape = $in_name::deserialize(sampler).unwrap();
                    (crate::codec::encode_event(&shape).unwrap(), shape.into())
                })*)?
                $(($old_number, $old_schema) => {
                    let shape = $old::deserialize(sampler).unwrap();
                    (crate::codec::encode_event(&shape).unwrap(), $new::from(shape).into())
                })*
                unknown => panic!("no shape {unknown:?}"),
            }
        }

        /// The newest shape of an event.
        pub(super) fn encode(
            event: &holdfast_engine::$module::Event,
        ) -> Result<$crate::shapes::shape::Payload, crate::codec::CodecError> {
            let (event_type, schema, bytes) = match event {
                $(holdfast_engine::$module::Event::$name { $($field),* } => {
                    let shape = $name { $($field: Clone::clone($field)),* };
                    ($number, $schema, crate::codec::encode_event(&shape)?)
                })*
                $($(holdfast_engine::$module::Event::$outer {
                    $inner: $enum::$in_name { $($in_field),* }
                } => {
                    let shape = $in_name { $($in_field: Clone::clone($in_field)),* };
                    ($in_number, $in_schema, crate::codec::encode_event(&shape)?)
                })*)?
            };
            Ok($crate::shapes::shape::Payload { event_type, schema, bytes })
        }

        /// The event of a shape's bytes; `None` for a shape that this release does not know.
        pub(super) fn decode(
            event_type: u16,
            schema: u16,
            bytes: &[u8],
        ) -> Result<Option<holdfast_engine::$module::Event>, crate::codec::CodecError> {
            match (event_type, schema) {
                $(($number, $schema) => {
                    crate::codec::decode_event::<$name>(bytes).map(|shape| Some(shape.into()))
                })*
                $($(($in_number, $in_schema) => {
                    crate::codec::decode_event::<$in_name>(bytes).map(|shape| Some(shape.into()))
                })*)?
                $(($old_number, $old_schema) => {
                    crate::codec::decode_event::<$old>(bytes)
                        .map(|shape| Some($new::from(shape).into()))
                })*
                _ => Ok(None),
            }
        }
    };
}
pub(super) use shapes;
