//! The schema text of a state, such as `v1:{count:i64,name:string}`.

/// Version of the encoding that is read here.
const PREFIX: &str = "v1:";
/// Nesting of a type: the reader recurses.
const MAX_DEPTH: usize = 32;

/// A type of the encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    /// Little-endian, signed or not.
    Integer {
        bytes: usize,
        signed: bool,
    },
    F32,
    F64,
    Text,
    /// A type of SQL, as one number.
    Sql(Sql),
    /// `[u8]`.
    Bytes,
    Option(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Tuple(Vec<Type>),
    Struct(Vec<(String, Type)>),
    /// Variants with their names.
    Enum(Vec<(String, Fields)>),
}

/// What a variant of an enum holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    None,
    /// A struct or tuple.
    Some(Type),
}

/// The types of SQL that state can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sql {
    /// Days, 32 bits.
    Date,
    /// Milliseconds of the day, 32 bits.
    Time,
    /// Nanoseconds, 128 bits.
    Timestamp,
    /// Nanoseconds, 128 bits.
    TimestampLtz,
    /// Unscaled, 128 bits.
    Decimal { precision: u8, scale: u8 },
}

impl Type {
    /// Reads a schema; `None` when it is not one of the SDK's.
    pub(super) fn parse(schema: &str) -> Option<Self> {
        let mut parser = Parser { rest: schema.strip_prefix(PREFIX)? };
        let parsed = parser.data_type(MAX_DEPTH)?;
        parser.rest.is_empty().then_some(parsed)
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn name(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn data_type(&mut self, depth: usize) -> Option<Type> {
        let depth = depth.checked_sub(1)?;
        if self.rest.starts_with('{') {
            return self.structure(depth);
        }
        if self.rest.starts_with('(') {
            return self.tuple(depth);
        }
        if self.take("[").is_some() {
            let element = self.data_type(depth)?;
            self.take("]")?;
            return Some(match element {
                Type::Integer { bytes: 1, signed: false } => Type::Bytes,
                element => Type::List(Box::new(element)),
            });
        }
        let integer = |bytes, signed| Some(Type::Integer { bytes, signed });
        match self.name()? {
            "bool" => Some(Type::Bool),
            "i8" => integer(1, true),
            "i16" => integer(2, true),
            "i32" => integer(4, true),
            "i64" => integer(8, true),
            "i128" => integer(16, true),
            "u8" => integer(1, false),
            "u16" => integer(2, false),
            "u32" => integer(4, false),
            "u64" => integer(8, false),
            "u128" => integer(16, false),
            "f32" => Some(Type::F32),
            "f64" => Some(Type::F64),
            "string" => Some(Type::Text),
            "date" => Some(Type::Sql(Sql::Date)),
            "time" => Some(Type::Sql(Sql::Time)),
            "timestamp" => self.numbers::<1>().map(|_| Type::Sql(Sql::Timestamp)),
            "timestamp_ltz" => self.numbers::<1>().map(|_| Type::Sql(Sql::TimestampLtz)),
            "decimal" => {
                self.numbers().map(|[precision, scale]| Type::Sql(Sql::Decimal { precision, scale }))
            }
            "enum" => self.enumeration(depth),
            generic => {
                self.take("<")?;
                let mut arguments = self.separated(">", |parser| parser.data_type(depth))?.into_iter();
                let mut next = || arguments.next().map(Box::new);
                let parsed = match generic {
                    "option" => Type::Option(next()?),
                    "list" => Type::List(next()?),
                    "map" => Type::Map(next()?, next()?),
                    _ => return None,
                };
                next().is_none().then_some(parsed)
            }
        }
    }

    fn structure(&mut self, depth: usize) -> Option<Type> {
        self.take("{")?;
        let fields = self.separated("}", |parser| {
            let name = parser.name()?.to_owned();
            parser.take(":")?;
            Some((name, parser.data_type(depth)?))
        });
        fields.map(Type::Struct)
    }

    fn tuple(&mut self, depth: usize) -> Option<Type> {
        self.take("(")?;
        self.separated(")", |parser| parser.data_type(depth)).map(Type::Tuple)
    }

    fn enumeration(&mut self, depth: usize) -> Option<Type> {
        self.take("{")?;
        let variants = self.separated("}", |parser| {
            let name = parser.name()?.to_owned();
            let fields = match parser.rest.chars().next()? {
                '{' => Fields::Some(parser.structure(depth)?),
                '(' => Fields::Some(parser.tuple(depth)?),
                _ => Fields::None,
            };
            Some((name, fields))
        });
        variants.map(Type::Enum)
    }

    /// Numbers in parentheses.
    fn numbers<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take("(")?;
        self.separated(")", |parser| parser.name()?.parse().ok())?.try_into().ok()
    }

    /// Things with commas between them, up to `end`.
    fn separated<T>(&mut self, end: &str, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::new();
        if self.take(end).is_some() {
            return Some(all);
        }
        loop {
            all.push(one(self)?);
            if self.take(end).is_some() {
                return Some(all);
            }
            self.take(",")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sdks_schemas_are_read() {
        for schema in [
            "v1:{a:i64,b:[option<(string,bool)>]}",
            "v1:map<decimal(10,2),[u8]>",
            "v1:{}",
            "v1:timestamp(3)",
            "v1:option<enum{Idle,At{x:i64},Pair(i64,bool)}>",
        ] {
            assert!(Type::parse(schema).is_some(), "{schema}");
        }
        for schema in [
            "",
            "i64",
            "v2:i64",
            "v1:",
            "v1:i64,",
            "v1:{a}",
            "v1:map<i64>",
            "v1:option<i64,i64>",
            "v1:other",
            "v1:decimal(1)",
            "v1:enum",
            "v1:enum{At{x}}",
        ] {
            assert!(Type::parse(schema).is_none(), "{schema}");
        }
        assert!(Type::parse(&format!("v1:{}", "[".repeat(100_000))).is_none(), "nesting is bounded");
    }
}
