//! A value of any shape, made of its structure alone: golden bytes cover what nobody thought of.
//!
//! Numbers count up and texts carry them, so that two fields of one type never hold the same. Of every
//! enum the variant used least so far is taken, so that a few samples of a shape cover all of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// Items of a list: two show their order.
const ITEMS: usize = 2;

/// Makes values.
#[derive(Default)]
pub(crate) struct Sampler {
    count: u8,
    /// How often each variant of each enum was taken; an Option is an enum here.
    taken: BTreeMap<(&'static str, u32), u32>,
}

/// A shape that cannot be sampled.
#[derive(Debug)]
pub(crate) struct Unsampled(String);

impl fmt::Display for Unsampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsampled {}

impl Error for Unsampled {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Sampler {
    /// How many different variants were taken so far.
    pub(crate) fn variety(&self) -> usize {
        self.taken.len()
    }

    fn number(&mut self) -> u8 {
        self.count = self.count % 100 + 1;
        self.count
    }

    fn choose(&mut self, name: &'static str, variants: u32) -> u32 {
        let used = |index: &u32| self.taken.get(&(name, *index)).copied().unwrap_or(0);
        let chosen = (0..variants).min_by_key(used).unwrap_or(0);
        *self.taken.entry((name, chosen)).or_default() += 1;
        chosen
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $ty:ty)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
            visitor.$visit(<$ty>::from(self.number()))
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Sampler {
    type Error = Unsampled;

    numbers! {
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unsampled> {
        Err(Unsampled("a shape must say what it holds".into()))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        let chosen = self.choose("bool", 2);
        visitor.visit_bool(chosen == 0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        visitor.visit_string(format!("text {}", self.number()))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        self.deserialize_string(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        match self.choose(std::any::type_name::<V::Value>(), 2) {
            0 => visitor.visit_some(self),
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unsampled> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        visitor.visit_seq(Items { sampler: self, left: ITEMS })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Unsampled> {
        visitor.visit_seq(Items { sampler: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unsampled> {
        visitor.visit_seq(Items { sampler: self, left: fields.len() })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsampled> {
        visitor.visit_map(Items { sampler: self, left: ITEMS })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unsampled> {
        let count = u32::try_from(variants.len()).map_err(Unsampled::custom)?;
        let chosen = self.choose(name, count);
        visitor.visit_enum(Chosen { sampler: self, chosen })
    }

    serde::forward_to_deserialize_any! {
        i8 i128 u128 f32 f64 char bytes byte_buf unit_struct tuple_struct identifier ignored_any
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

struct Items<'a> {
    sampler: &'a mut Sampler,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Unsampled;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unsampled> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.sampler).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_> {
    type Error = Unsampled;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unsampled> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unsampled> {
        seed.deserialize(&mut *self.sampler)
    }
}

struct Chosen<'a> {
    sampler: &'a mut Sampler,
    chosen: u32,
}

impl<'de> EnumAccess<'de> for Chosen<'_> {
    type Error = Unsampled;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Unsampled> {
        let index: U32Deserializer<Unsampled> = self.chosen.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = Unsampled;

    fn unit_variant(self) -> Result<(), Unsampled> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unsampled> {
        seed.deserialize(self.sampler)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unsampled> {
        self.sampler.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unsampled> {
        self.sampler.deserialize_struct("", fields, visitor)
    }
}
