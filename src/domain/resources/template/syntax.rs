//! The grammar of template expressions, from the text between the brackets to a tree.
//! Must not know: what any function does.

/// Characters of an expression, at most [docs].
pub const LENGTH_LIMIT: usize = 24_576;
/// Expressions within each other, at most.
pub const DEPTH_LIMIT: usize = 60;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `'text'`
    Text(String),
    /// `42`
    Int(i64),
    /// `name(arguments)`; user functions as `namespace.name`.
    Call(String, Vec<Expr>),
    /// `value.property` and `value[index]`.
    Member(Box<Expr>, Box<Expr>),
}

/// What a string of a template is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text<'t> {
    /// The string itself.
    Literal(&'t str),
    /// The expression between its brackets.
    Expression(&'t str),
}

/// Tells expressions from plain strings. `[[` is how a plain string begins with a bracket.
#[must_use]
pub fn classify(text: &str) -> Text<'_> {
    match text.strip_prefix('[') {
        Some(rest) if rest.starts_with('[') => Text::Literal(rest),
        Some(rest) => rest.strip_suffix(']').map_or(Text::Literal(text), Text::Expression),
        None => Text::Literal(text),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Int(i64),
    Sign(char),
    End,
}

impl Token {
    /// As Azure's messages name it.
    fn name(&self) -> &'static str {
        match self {
            Self::Name(_) => "Identifier",
            Self::Text(_) => "StringLiteral",
            Self::Int(_) => "Integer",
            Self::Sign('(') => "LeftParenthesis",
            Self::Sign(')') => "RightParenthesis",
            Self::Sign('[') => "LeftSquareBracket",
            Self::Sign(']') => "RightSquareBracket",
            Self::Sign('.') => "Dot",
            Self::Sign(_) => "Comma",
            Self::End => "EndOfData",
        }
    }
}

/// Parses the text between the brackets.
pub fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > LENGTH_LIMIT {
        let length = text.chars().count();
        return Err(format!(
            "the language expression length limit exceeded. Limit: '{LENGTH_LIMIT}' and actual: '{length}'"
        ));
    }
    let mut parser = Parser { text, tokens: lex(text)?, at: 0, depth: 0 };
    let expr = parser.expression()?;
    parser.expect(&Token::End)?;
    Ok(expr)
}

fn lex(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        at += 1;
        let run = |at: &mut usize, wanted: fn(char) -> bool| {
            while chars.get(*at).is_some_and(|c| wanted(*c)) {
                *at += 1;
            }
            chars[start..*at].iter().collect::<String>()
        };
        match c {
            c if c.is_whitespace() => {}
            '(' | ')' | '[' | ']' | ',' | '.' => tokens.push(Token::Sign(c)),
            '\'' => {
                let mut string = String::new();
                loop {
                    match (chars.get(at), chars.get(at + 1)) {
                        (Some('\''), Some('\'')) => {
                            string.push('\'');
                            at += 2;
                        }
                        (Some('\''), _) => {
                            at += 1;
                            break;
                        }
                        (Some(c), _) => {
                            string.push(*c);
                            at += 1;
                        }
                        (None, _) => {
                            return Err(format!(
                                "The language expression '{text}' is not valid: the string literal at position '{start}' is not terminated"
                            ));
                        }
                    }
                }
                tokens.push(Token::Text(string));
            }
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                tokens.push(Token::Name(run(&mut at, |c| c.is_alphanumeric() || c == '_' || c == '$' || c == '-')));
            }
            c if c.is_ascii_digit() || c == '-' => {
                let digits = run(&mut at, |c| c.is_ascii_digit());
                let number = digits.parse().map_err(|_| {
                    format!("The language expression '{text}' is not valid: the number '{digits}' at position '{start}' is not valid")
                })?;
                tokens.push(Token::Int(number));
            }
            c => {
                return Err(format!(
                    "The language expression '{text}' is not valid: the string character '{c}' at position '{start}' is not expected"
                ));
            }
        }
    }
    tokens.push(Token::End);
    Ok(tokens)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn wrong(&self, expected: &str) -> String {
        format!(
            "Unable to parse language expression '{}': expected token '{expected}' and actual '{}'",
            self.text,
            self.peek().name()
        )
    }

    fn expect(&mut self, token: &Token) -> Result<(), String> {
        if self.peek() != token {
            return Err(self.wrong(token.name()));
        }
        self.at += 1;
        Ok(())
    }

    fn take(&mut self, sign: char) -> bool {
        let found = *self.peek() == Token::Sign(sign);
        self.at += usize::from(found);
        found
    }

    fn expression(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(format!(
                "Unable to parse language expression '{}': it nests deeper than '{DEPTH_LIMIT}' levels",
                self.text
            ));
        }
        let mut expr = match self.peek().clone() {
            Token::Text(text) => {
                self.at += 1;
                Expr::Text(text)
            }
            Token::Int(number) => {
                self.at += 1;
                Expr::Int(number)
            }
            Token::Name(name) => {
                self.at += 1;
                self.call(name)?
            }
            _ => return Err(self.wrong("Identifier")),
        };
        let mut members = 0;
        loop {
            if self.take('.') {
                let Token::Name(name) = self.peek().clone() else { return Err(self.wrong("Identifier")) };
                self.at += 1;
                expr = Expr::Member(Box::new(expr), Box::new(Expr::Text(name)));
            } else if self.take('[') {
                let index = self.expression()?;
                self.expect(&Token::Sign(']'))?;
                expr = Expr::Member(Box::new(expr), Box::new(index));
            } else {
                break;
            }
            members += 1;
            if members > DEPTH_LIMIT {
                return Err(format!(
                    "Unable to parse language expression '{}': it nests deeper than '{DEPTH_LIMIT}' levels",
                    self.text
                ));
            }
        }
        self.depth -= 1;
        Ok(expr)
    }

    fn call(&mut self, mut name: String) -> Result<Expr, String> {
        while *self.peek() == Token::Sign('.') {
            self.at += 1;
            let Token::Name(part) = self.peek().clone() else { return Err(self.wrong("Identifier")) };
            self.at += 1;
            name = format!("{name}.{part}");
        }
        self.expect(&Token::Sign('('))?;
        let mut arguments = Vec::new();
        if !self.take(')') {
            loop {
                arguments.push(self.expression()?);
                if !self.take(',') {
                    break;
                }
            }
            self.expect(&Token::Sign(')'))?;
        }
        Ok(Expr::Call(name, arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_make_expressions() {
        assert_eq!(classify("[a()]"), Text::Expression("a()"));
        assert_eq!(classify("[[a]"), Text::Literal("[a]"));
        assert_eq!(classify("[a"), Text::Literal("[a"));
        assert_eq!(classify("x"), Text::Literal("x"));
        assert_eq!(classify("["), Text::Literal("["));
        assert_eq!(classify("[]"), Text::Expression(""));
    }

    #[test]
    fn trees() {
        let tree = parse("concat('it''s', a.b(-1)[0].c)").unwrap();
        let call = Expr::Call("a.b".into(), vec![Expr::Int(-1)]);
        let member = Expr::Member(Box::new(call), Box::new(Expr::Int(0)));
        let member = Expr::Member(Box::new(member), Box::new(Expr::Text("c".into())));
        assert_eq!(tree, Expr::Call("concat".into(), vec![Expr::Text("it's".into()), member]));
    }

    #[test]
    fn errors_in_azures_words() {
        for (text, error) in [
            ("", "Unable to parse language expression '': expected token 'Identifier' and actual 'EndOfData'"),
            (
                "concat('a'",
                "Unable to parse language expression 'concat('a'': expected token 'RightParenthesis' and actual 'EndOfData'",
            ),
            (
                "concat())",
                "Unable to parse language expression 'concat())': expected token 'EndOfData' and actual 'RightParenthesis'",
            ),
            (
                "\r\n {",
                "The language expression '\r\n {' is not valid: the string character '{' at position '3' is not expected",
            ),
            (
                "foo",
                "Unable to parse language expression 'foo': expected token 'LeftParenthesis' and actual 'EndOfData'",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
        }
        assert!(parse(&format!("{}{}", "a(".repeat(5_000), ")".repeat(5_000))).unwrap_err().contains("nests deeper"));
        assert!(parse(&format!("a(){}", ".x".repeat(5_000))).unwrap_err().contains("nests deeper"));
        assert!(parse(&"a".repeat(30_000)).unwrap_err().contains("Limit: '24576'"));
        assert!(parse("f(99999999999999999999)").is_err());
        assert!(parse("f('x").is_err());
    }
}
