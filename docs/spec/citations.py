"""Finds in the sources which test shows which clause. The rules are in the help of scripts/spec."""

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ("5.0", "3.1.1")

ID = r"MQTT-\d+(?:\.\d+)+-\d+"
CITATION = re.compile(rf"\[({ID})\](?:\s+in\s+(both\b|5\.0 and 3\.1\.1|3\.1\.1 and 5\.0|5\.0|3\.1\.1))?")
LIST_GAP = re.compile(r"\s*(?:,|/|&|and|, and)\s*")
ITEM = re.compile(r"\s*(?:pub(?:\([^)]*\))?\s+)?(?:const |async |unsafe )*(fn|const|static) (?:mut )?(\w+)")
NAMED = re.compile(r"(?:test_)?v(5|311)_((?:\d+_){3,4})")


@dataclass(frozen=True, order=True)
class Test:
    path: str
    name: str


class Scan:
    """What the sources cite: tests by clause, and citations that are wrong."""

    def __init__(self, standards):
        self.standards = standards
        self.tests = defaultdict(set)
        self.problems = []
        self.suites = defaultdict(list)
        self.cases = []

    def source(self, path, text):
        """Reads one file; `path` is relative to the root and decides what in it is test code."""
        self._guard_ids(path, text)
        if path.endswith(".rs"):
            self._rust(path, text)
        elif path.endswith(".py"):
            self._python(path, text)

    def _guard_ids(self, path, text):
        for number, line in enumerate(text.splitlines(), 1):
            for id in re.findall(ID, line):
                if not self.standards.has_anywhere(id):
                    self.problems.append(f"{path}:{number}: {id} is in neither standard; look it up in docs/SPEC.md")
            for id, versions in CITATION.findall(line):
                for version in versions_of(versions):
                    if self.standards.has_anywhere(id) and not self.standards.has(version, id):
                        self.problems.append(f"{path}:{number}: {id} is not in {version}; look it up in docs/SPEC.md")

    def _credit(self, path, name, cited):
        for version, id in cited:
            if self.standards.has(version, id):
                self.tests[version, id].add(Test(path, name))

    def _cited(self, path, name, text):
        """The clauses cited in `text`, as (version, id)."""
        cited, waiting, end = [], [], 0
        text = " ".join(text.split())

        def drop():
            for id in waiting:
                self.problems.append(f"{path}: {name}: [{id}] needs its version: write `[{id}] in 5.0` or `in 3.1.1`")
            waiting.clear()

        for match in CITATION.finditer(text):
            if waiting and not LIST_GAP.fullmatch(text[end : match.start()]):
                drop()
            end = match.end()
            waiting.append(match[1])
            if match[2]:
                cited += [(version, id) for id in waiting for version in versions_of(match[2])]
                waiting.clear()
        drop()
        return cited

    def _named(self, path, name):
        """The clause in a test's name, as (version, id)."""
        match = NAMED.match(name)
        if not match:
            return []
        version = "5.0" if match[1] == "5" else "3.1.1"
        numbers = match[2].strip("_").split("_")
        for head in (numbers, numbers[:3]):
            id = f"MQTT-{'.'.join(head[:-1])}-{head[-1]}"
            if self.standards.has(version, id):
                return [(version, id)]
        self.problems.append(f"{path}: {name}: its name gives no clause of {version}; look it up in docs/SPEC.md")
        return []

    # Rust. rustfmt's layout is taken for granted: an item ends at the brace in its own column.

    def _rust(self, path, text):
        lines = text.splitlines()
        tables, calls = [], []
        comment, attributes, at = [], [], 0
        inside = is_test_path(path)
        test_code_ends = len(lines) if inside else 0
        while at < len(lines):
            line, stripped = lines[at], lines[at].strip()
            item = ITEM.match(line)
            if stripped.startswith("#[cfg(test)]") and at >= test_code_ends:
                test_code_ends = item_end(lines, at + 1)
            elif stripped.startswith("//"):
                if not stripped.startswith("//!"):
                    comment.append(stripped)
            elif stripped.startswith("#["):
                attributes.append(stripped)
            elif item and at < test_code_ends:
                end = item_end(lines, at)
                body = "\n".join(comment + lines[at:end])
                body = re.sub(r"(?m)^\s*//[/!]?", " ", body)
                is_test = any(re.match(r"#\[(?:\w+::)*test\b", attribute) for attribute in attributes)
                if is_test:
                    name = item[2]
                    cited = self._cited(path, name, body) + self._named(path, name)
                    if not any(attribute.startswith("#[ignore") for attribute in attributes):
                        self._credit(path, name, cited)
                        calls.append((name, body))
                elif item[1] == "fn":
                    literals = " ; ".join(re.findall(r'"(?:[^"\\]|\\.)*"', "\n".join(lines[at:end])))
                    tables.append((item[2], self._cited(path, item[2], literals)))
                else:
                    tables.append((item[2], self._cited(path, item[2], body)))
                comment, attributes = [], []
                at = end
                continue
            elif stripped:
                comment, attributes = [], []
            at += 1
        # A table of cases is shown by the tests that go through it.
        for table, cited in tables:
            for name, body in calls:
                if cited and re.search(rf"\b{table}\b", body):
                    self._credit(path, name, cited)

    # Python. A table of cases is shown by the suites in its folder that name its module.

    def _python(self, path, text):
        if not is_test_path(path):
            return
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            self.problems.append(f"{path}:{error.lineno}: Python cannot read this file: {error.msg}")
            return
        if Path(path).name.startswith("test_"):
            self.suites[str(Path(path).parent)].append(f"{Path(path).stem} {text}")
        self._python_block(path, text.splitlines(), string_constants(tree), tree)

    def _python_block(self, path, lines, constants, node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and child.name.startswith("test_"):
                self._python_test(path, lines, child)
                continue
            if isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Tuple):
                continue
            words = [static_text(part, constants) for part in case_parts(child)]
            cited = " ; ".join(word for word in words if word and CITATION.search(word))
            name = next((word for word in words if word and not CITATION.search(word)), None)
            if cited and name:
                self.cases.append((path, name, self._cited(path, name, cited)))
            self._python_block(path, lines, constants, child)

    def finish(self):
        """Credits the tables of cases, once all files are read."""
        for path, name, cited in self.cases:
            if any(re.search(rf"\b{Path(path).stem}\b", suite) for suite in self.suites[str(Path(path).parent)]):
                self._credit(path, name, cited)
        return self

    def _python_test(self, path, lines, function):
        first = min([function.lineno] + [decorator.lineno for decorator in function.decorator_list]) - 1
        while first > 0 and lines[first - 1].strip().startswith("#"):
            first -= 1
        text = re.sub(r"(?m)^\s*#", " ", "\n".join(lines[first : function.end_lineno]))
        cited = self._cited(path, function.name, text) + self._named(path, function.name)
        if not any(re.search(r"\b(skip|xfail)\b", ast.unparse(decorator)) for decorator in function.decorator_list):
            self._credit(path, function.name, cited)


def versions_of(word):
    if not word:
        return ()
    return (word,) if word in VERSIONS else VERSIONS


def is_test_path(path):
    *folders, name = path.split("/")
    return "tests" in folders or name == "tests.rs"


def item_end(lines, at):
    """The line after the item that begins at or below `at`: its closing bracket stands in the item's own column."""
    while at < len(lines) and lines[at].strip().startswith(("#[", "//")):
        at += 1
    if at >= len(lines):
        return at
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    first = lines[at].rstrip()
    if first.endswith((";", "}")):
        return at + 1
    closing = r".*;$" if first.endswith("=") else rf"{indent}[\]}})]+[;,]?$"
    for end in range(at + 1, len(lines)):
        if re.match(closing, lines[end].rstrip()):
            return end + 1
    return len(lines)


def case_parts(node):
    """What a case in a table is made of."""
    if isinstance(node, ast.Call):
        return [*node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.Dict):
        return node.values
    return node.elts if isinstance(node, (ast.Tuple, ast.List)) else []


def string_constants(tree):
    """The strings that a module gives names to."""
    found = {}
    for statement in tree.body:
        if not isinstance(statement, ast.Assign):
            continue
        target, value = statement.targets[0], statement.value
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        for name, text in zip(target.elts, value.elts) if several else [(target, value)]:
            if isinstance(name, ast.Name) and (text := static_text(text, found)):
                found[name.id] = text
    return found


def static_text(node, constants):
    """The string that an expression gives, as far as it can be told; None if it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.JoinedStr):
        return "".join(static_text(part, constants) or "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = static_text(node.left, constants), static_text(node.right, constants)
        return None if None in sides else "".join(sides)
    return None
