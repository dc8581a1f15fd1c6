"""A public header as scripts/schema sees it: tokens, brackets, comments and sections."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Where the public headers are: those of the library, of each package, and of recipes.
INCLUDES = [ROOT / "include", *sorted(ROOT.glob("packages/*/include")), ROOT / "recipes/include"]

# ">" stands alone, since it may close template arguments.
TOKEN = re.compile(r"""
    (?P<space>[ \t\n]+) | (?P<comment>//[^\n]*) | (?P<directive>\#(?:[^\n]*\\\n)*[^\n]*)
  | (?P<text>R"(?P<tag>\w*)\(.*?\)(?P=tag)"|(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:[eEpP][+-]|'(?=\w)|[\w.])*) | (?P<name>[A-Za-z_]\w*)
  | (?P<symbol>\.\.\.|<=>|<<=|->\*|::|->|\+\+|--|<<|<=|==|!=|&&|\|\||[-+*/%&|^]=|
      /(?![*]) | [-+*%&|^~!=<>?:;,.(){}\[\]])""", re.X | re.S)
OPEN = {"(": ")", "[": "]", "{": "}"}
SPECIFIERS = {"inline", "static", "constexpr", "consteval", "constinit", "virtual", "explicit",
              "mutable", "extern", "thread_local"}
# Words of types, and those of them that are no types alone.
TYPE_WORDS = {"const", "volatile", "unsigned", "signed", "short", "long", "int", "char", "bool",
              "float", "double", "void", "auto", "typename"}
TYPE_FORM = {"const", "volatile", "typename", "auto"}
NO_NAMES = TYPE_WORDS | SPECIFIERS | {
    "class", "struct", "enum", "union", "template", "operator", "friend", "using", "namespace",
    "typedef", "return", "decltype", "requires", "concept", "asm", "goto", "public", "private",
    "protected", "static_assert", "alignas", "if", "for", "while"}
HEADING = re.compile(r"---- (.+?) -*$")


class Fault(Exception):
    """A header that is not understood: FILE:LINE: why."""


class Token:
    def __init__(self, kind, text, line, gap=""):
        self.kind, self.text, self.line, self.gap = kind, text, line, gap


def scan(source):
    """(kind, text, line, position) of all that stands in a source, space and comments too. What is
    no token has the kind None, and nothing follows it."""
    at, line = 0, 1
    while at < len(source):
        match = TOKEN.match(source, at)
        if not match:
            yield None, source[at:at + 20].splitlines()[0], line, at
            return
        kind, text = match.lastgroup, match.group()
        yield "text" if kind == "tag" else kind, text, line, at
        line += text.count("\n")
        at = match.end()


class Comment:
    """Adjacent lines of a comment; `own` says that no code stands before it."""

    def __init__(self, text, line, column, own):
        self.lines, self.line, self.end, self.column, self.own = [text], line, line, column, own

    def heading(self):
        match = HEADING.match(self.lines[0])
        return match.group(1) if match else None


def joined(lines):
    """Lines of comments as paragraphs; what is indented stays as it is."""
    out, open_line = [], False
    for line in lines:
        if not line.strip():
            out.append("")
            open_line = False
        elif line.startswith("  "):
            out.append(line.rstrip())
            open_line = False
        elif open_line:
            out[-1] += " " + line.strip()
        else:
            out.append(line.strip())
            open_line = True
    return "\n".join(out).strip("\n")


def spelled(tokens):
    """Tokens as the source has them, on one line."""
    out = ""
    for i, token in enumerate(tokens):
        broken = "\n" in token.gap and tokens[i - 1].text in ("(", "<", "{", "[")
        out += (" " if i and token.gap and not broken else "") + token.text
    return out


def named(tokens):
    """Whether there is more than the words that go with a type."""
    return any(t.kind == "name" and t.text not in TYPE_FORM for t in tokens) or any(
        t.text in ("auto", "decltype") for t in tokens)


class Brackets:
    """Follows tokens into and out of brackets."""

    def __init__(self):
        self.open, self.before = [], None

    def outside(self, token):
        """Whether the next token stands outside all brackets; one that opens them does."""
        out = not self.open
        if token.kind == "symbol":
            if token.text in OPEN:
                self.open.append(OPEN[token.text])
            elif token.text == "<" and self.before and self.before.kind == "name":
                self.open.append(">")
            elif self.open and token.text == self.open[-1]:
                self.open.pop()
            elif token.text in (")", "]", "}"):
                raise ValueError
        self.before = token
        return out


class Reader:
    """A header as tokens, and its comments by where they stand."""

    def __init__(self, path, shown):
        self.shown, self.at, self.first = shown, 0, 1
        self.tokens, self.comments, self.macros = [], [], []
        self.read(path.read_text())
        self.above = {c.end + 1: c for c in self.comments if c.own}
        self.used, self.sections = set(), []

    # ---- Tokens ----

    def fail(self, why, line=None):
        line = line or (self.tokens[min(self.at, len(self.tokens) - 1)].line if self.tokens else 1)
        raise Fault(f"{self.shown}:{line}: {why}")

    def read(self, source):
        start, gap, line = 0, "", 1
        for kind, text, line, at in scan(source):
            if kind is None:
                self.fail(f"unexpected text: {text}", line)
            own = not source[start:at].strip()
            if kind == "comment":
                self.add_comment(text[2:].removeprefix(" "), line, at - start, own)
            elif kind == "directive":
                self.directive(text, line, own)
            elif kind != "space":
                self.tokens.append(Token(kind, text, line, gap))
            gap = gap + text if kind in ("space", "comment") else ""
            line += text.count("\n")
            if "\n" in text:
                start = at + text.rindex("\n") + 1
        self.end = Token("end", "the end of the file", line)
        self.tokens.append(self.end)

    def add_comment(self, text, line, column, own):
        last = self.comments[-1] if self.comments else None
        # A trailing comment goes on below, in its column.
        if last and own and last.end == line - 1 and last.column == column:
            last.lines.append(text)
            last.end = line
        else:
            self.comments.append(Comment(text, line, column, own))

    def directive(self, text, line, own):
        define = re.match(r"#\s*define\s+(\w+)(?:\(([^)]*)\))?", text)
        if define:
            parameters = [{"name": p.strip()} for p in (define.group(2) or "").split(",")
                          if p.strip()]
            self.macros.append((line, text.count("\n"), define.group(1), parameters))
        elif not own or not re.match(r'#\s*(pragma once$|include [<"])', text):
            self.fail(f"a public header has no {text.splitlines()[0]}", line)

    def peek(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)].text

    def next(self):
        token = self.tokens[self.at]
        if token is self.end:
            self.fail("a declaration that does not end", self.first)
        self.at += 1
        return token

    def take(self, *texts):
        if self.peek() in texts and self.tokens[self.at].kind != "text":
            return self.next().text
        return None

    def expect(self, text):
        if not self.take(text):
            self.fail(f"expected {text} before {self.peek()}")

    def name(self):
        token = self.tokens[self.at]
        if token.kind != "name" or token.text in NO_NAMES:
            self.fail(f"expected a name before {token.text}")
        return self.next().text

    def until(self, *stops):
        """Tokens before the first of `stops` outside all brackets."""
        out, brackets = [], Brackets()
        while brackets.open or self.peek() not in stops or self.tokens[self.at].kind == "text":
            try:
                brackets.outside(self.tokens[self.at])
            except ValueError:
                self.fail(f"unexpected {self.peek()}")
            out.append(self.next())
        return out

    def inside(self, close):
        """Tokens up to the closing bracket, which is passed; the opening one has been."""
        out = self.until(close)
        self.expect(close)
        return out

    def body(self):
        """Passes a body whose brace has been taken."""
        depth = 1
        while depth:
            token = self.next()
            if token.kind == "symbol":
                depth += {"{": 1, "}": -1}.get(token.text, 0)

    # ---- Comments ----

    def note(self, out, first, last):
        """The comment above line `first`, and those at the ends of the lines up to `last`."""
        lines = []
        block = self.above.get(first)
        if block and block not in self.used:
            self.used.add(block)
            lines += block.lines[1:] if block.heading() else block.lines
        for comment in self.comments:
            if not comment.own and first <= comment.line <= last and comment not in self.used:
                self.used.add(comment)
                lines += comment.lines
        if joined(lines):
            out["comment"] = joined(lines)

    def pass_headings(self, scope, line):
        """Notes the sections that begin before this line."""
        for block in self.comments:
            if not block.own or block.line >= line or block in self.used:
                continue
            heading = block.heading()
            if heading:
                section = {"name": heading, "line": block.line}
                self.sections.append(section)
                scope["section"] = section
                if block.end + 1 == line:
                    continue  # what follows the heading is about the declaration
                if joined(block.lines[1:]):
                    section["comment"] = joined(block.lines[1:])
            elif block.end + 1 == line:
                continue
            elif scope.get("section") is not None:  # stands alone: about the section
                text = [scope["section"].get("comment", ""), joined(block.lines)]
                scope["section"]["comment"] = "\n\n".join(t for t in text if t)
            self.used.add(block)

    def is_private(self, out, scope, first):
        """Whether a declaration is for the library alone; notes how far that holds."""
        said = re.match("Private to the library|private:", out.get("comment", ""))
        section = (scope.get("section") or {}).get("name", "").startswith("Private to the library")
        block = self.above.get(first)
        top = block.line if block else first
        goes_on = scope.get("private_block") and top == scope["last"] + 1
        if said and said.group() == "private:":
            return True
        scope["private_block"] = bool(said or goes_on)
        return bool(scope["private_block"] or section or scope.get("private"))
