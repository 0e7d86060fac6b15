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
    Bytes,
    Option(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Tuple(Vec<Type>),
    Struct(Vec<(String, Type)>),
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
        if self.take("{").is_some() {
            let fields = self.separated("}", |parser| {
                let name = parser.name()?.to_owned();
                parser.take(":")?;
                Some((name, parser.data_type(depth)?))
            });
            return fields.map(Type::Struct);
        }
        if self.take("(").is_some() {
            return self.separated(")", |parser| parser.data_type(depth)).map(Type::Tuple);
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
            "bytes" => Some(Type::Bytes),
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
