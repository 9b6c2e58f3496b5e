//! What does a condition say that is written as SQL?
//!
//! A small reader of the expressions that Splink's own library writes in its dialects, and of the like that people
//! write by hand. What it does not know is an error that says so, never a guess.

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A column, with the table alias before it where there is one; lower case.
    Column {
        alias: Option<String>,
        name: String,
    },
    Number(f64),
    Text(String),
    /// A function by its name in lower case.
    Call(String, Vec<Expr>),
    /// Two operands and what stands between them.
    Binary(Op, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    /// A `CASE ... END`, whatever it says.
    Case,
}

/// What stands between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divided,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Number(f64),
    Text(String),
    Sign(&'static str),
}

/// Longer signs first, so that none is read as its beginning.
const SIGNS: [&str; 20] = [
    "<=", ">=", "<>", "!=", "==", "::", "->", "(", ")", ",", ".", "=", "<", ">", "+", "-", "*",
    "/", "[", "]",
];

/// Reads an expression.
///
/// **Errors:** what is not understood.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0 };
    let expr = reader.any_of()?;
    match reader.peek() {
        None => Ok(expr),
        Some(token) => Err(format!("`{}` is not understood here", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Quoted(text) | Token::Text(text) => text.clone(),
        Token::Number(number) => number.to_string(),
        Token::Sign(sign) => (*sign).to_owned(),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '"' | '`' | '\'' => {
                let inner = &rest[1..];
                let end = inner.find(first).ok_or("a quote is not closed")?;
                let text = inner[..end].to_owned();
                let token = if first == '\'' { Token::Text(text) } else { Token::Quoted(text) };
                (token, end + 2)
            }
            c if c.is_ascii_digit() => {
                let of_number = |c: char| !(c.is_ascii_alphanumeric() || c == '.');
                let mut end = rest.find(of_number).unwrap_or(rest.len());
                if rest[..end].ends_with(['e', 'E']) && rest[end..].starts_with(['-', '+']) {
                    end += 1 + rest[end + 1..].find(of_number).unwrap_or(rest.len() - end - 1);
                }
                let number = rest[..end].parse().map_err(|_| format!("`{}`", &rest[..end]))?;
                (Token::Number(number), end)
            }
            c if c.is_alphabetic() || c == '_' => {
                let of_word = |c: char| !(c.is_alphanumeric() || c == '_');
                let end = rest.find(of_word).unwrap_or(rest.len());
                (Token::Word(rest[..end].to_lowercase()), end)
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("`{first}` is not understood"))?;
                (Token::Sign(sign), sign.len())
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.sign(sign) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }

    fn any_of(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.all_of()?];
        while self.word("or") {
            parts.push(self.all_of()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Or(parts) })
    }

    fn all_of(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.negation()?];
        while self.word("and") {
            parts.push(self.negation()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::And(parts) })
    }

    fn negation(&mut self) -> Result<Expr, String> {
        if self.word("not") {
            return Ok(Expr::Not(Box::new(self.negation()?)));
        }
        let left = self.sum()?;
        if self.word("is") {
            let negated = self.word("not");
            if !self.word("null") {
                return Err("`IS` is understood before NULL only".into());
            }
            let null = Expr::IsNull(Box::new(left));
            return Ok(if negated { Expr::Not(Box::new(null)) } else { null });
        }
        let ops = [
            ("=", Op::Equal),
            ("==", Op::Equal),
            ("<>", Op::NotEqual),
            ("!=", Op::NotEqual),
            ("<=", Op::LessOrEqual),
            (">=", Op::GreaterOrEqual),
            ("<", Op::Less),
            (">", Op::Greater),
        ];
        for (sign, op) in ops {
            if self.sign(sign) {
                return Ok(Expr::Binary(op, Box::new(left), Box::new(self.sum()?)));
            }
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.product()?;
        loop {
            let op = if self.sign("+") {
                Op::Plus
            } else if self.sign("-") {
                Op::Minus
            } else {
                return Ok(left);
            };
            left = Expr::Binary(op, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, String> {
        let mut left = self.cast()?;
        loop {
            let op = if self.sign("*") {
                Op::Times
            } else if self.sign("/") {
                Op::Divided
            } else {
                return Ok(left);
            };
            left = Expr::Binary(op, Box::new(left), Box::new(self.cast()?));
        }
    }

    /// A value, whose type after `::` does not matter.
    fn cast(&mut self) -> Result<Expr, String> {
        let value = self.value()?;
        while self.sign("::") {
            self.of_type()?;
        }
        if self.sign("[") {
            return Err("elements of lists are not understood".into());
        }
        Ok(value)
    }

    fn of_type(&mut self) -> Result<(), String> {
        while matches!(self.peek(), Some(Token::Word(_))) {
            self.at += 1;
        }
        if self.sign("(") {
            self.arguments()?;
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Expr, String> {
        let token = self.peek().cloned().ok_or("it ends too early")?;
        self.at += 1;
        match token {
            Token::Sign("(") => {
                let inner = self.any_of()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("-") => match self.value()? {
                Expr::Number(number) => Ok(Expr::Number(-number)),
                _ => Err("a minus is understood before a number only".into()),
            },
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Word(word) if word == "case" => self.case(),
            Token::Word(word) if word == "cast" || word == "try_cast" => {
                self.expect("(")?;
                let inner = self.any_of()?;
                if !self.word("as") {
                    return Err("a cast without AS is not understood".into());
                }
                self.of_type()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Word(word) if self.sign("(") => self.call(word),
            Token::Word(name) | Token::Quoted(name) => self.column(&name),
            Token::Sign(sign) => Err(format!("`{sign}` is not understood here")),
        }
    }

    fn column(&mut self, name: &str) -> Result<Expr, String> {
        let name = name.to_lowercase();
        if !self.sign(".") {
            return Ok(Expr::Column { alias: None, name });
        }
        let column = match self.peek() {
            Some(Token::Word(column) | Token::Quoted(column)) => column.to_lowercase(),
            _ => return Err("a column is missing after the dot".into()),
        };
        self.at += 1;
        Ok(Expr::Column { alias: Some(name), name: column })
    }

    fn call(&mut self, name: String) -> Result<Expr, String> {
        // EXTRACT(EPOCH FROM x) is epoch(x).
        if name == "extract" {
            let Some(Token::Word(part)) = self.peek().cloned() else {
                return Err("EXTRACT without a part is not understood".into());
            };
            self.at += 1;
            if !self.word("from") {
                return Err("EXTRACT without FROM is not understood".into());
            }
            let inner = self.any_of()?;
            self.expect(")")?;
            return Ok(Expr::Call(part, vec![inner]));
        }
        Ok(Expr::Call(name, self.arguments()?))
    }

    /// Arguments up to the closing parenthesis.
    fn arguments(&mut self) -> Result<Vec<Expr>, String> {
        let mut arguments = Vec::new();
        if self.sign(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.any_of()?);
            if self.sign(")") {
                return Ok(arguments);
            }
            // SUBSTRING(x FROM pattern) has no comma.
            if !self.word("from") {
                self.expect(",")?;
            }
        }
    }

    fn case(&mut self) -> Result<Expr, String> {
        let mut depth = 1;
        while let Some(token) = self.peek() {
            depth += i32::from(*token == Token::Word("case".into()));
            depth -= i32::from(*token == Token::Word("end".into()));
            self.at += 1;
            if depth == 0 {
                return Ok(Expr::Case);
            }
        }
        Err("CASE has no END".into())
    }
}
