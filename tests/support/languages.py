"""Small pieces of code that parse, in any order, once `{n}` is a number of their own."""

PIECES: dict[str, tuple[str, ...]] = {
    "a.py": (
        "def f{n}(items):\n    for item in items:\n        if item:\n            yield item\n",
        "class C{n}:\n    x: int = 1\n\n"
        "    def get(self):\n        return {{'a': [self.x, (2)]}}\n",
        "try:\n    import os\nexcept ImportError:\n    os = None\n",
        'TEXT{n} = """\nfirst\n  second\n"""\n',
    ),
    "a.js": (
        "function f{n}(a, b) {{\n  if (a) {{\n    return [a, b];\n  }}\n  return `x ${{b}}`;\n}}\n",
        "const g{n} = async (x) => {{\n  await x({{ a: 1, ...x }});\n}};\n",
        "class C{n} extends Object {{\n  #x = 1;\n  get x() {{ return this.#x; }}\n}}\n",
    ),
    "a.ts": (
        "interface I{n} {{\n  a: string;\n  b?: number[];\n}}\n",
        "export function f{n}<T extends I>(a: T): a is T {{\n  return (a as any).b;\n}}\n",
        "enum E{n} {{\n  A = 1,\n  B,\n}}\n",
    ),
    "a.tsx": (
        "export const V{n} = (p: {{ a: string }}) => (\n"
        "  <div id={{p.a}}>\n    <b>x</b>\n  </div>\n);\n",
        "function f{n}(a: number): number {{\n  return a < 1 ? a : 2;\n}}\n",
    ),
    "a.go": (
        "package p\n",
        "func f{n}(a int, b ...string) (int, error) {{\n\tif a > 0 {{\n\t\treturn a, nil\n\t}}\n"
        "\treturn 0, errors.New(b[0])\n}}\n",
        'type T{n} struct {{\n\tA int `json:"a"`\n\tB map[string][]int\n}}\n',
    ),
    "a.rs": (
        'fn f{n}(a: &str) -> Option<u8> {{\n    match a {{\n        "x" => Some(1),\n'
        "        _ => None,\n    }}\n}}\n",
        "#[derive(Debug)]\nstruct S{n}<'a> {{\n    a: &'a str,\n}}\n",
        'impl S{n} {{\n    fn g(&self) {{\n        println!("{{}}", self.a);\n    }}\n}}\n',
    ),
    "A.java": (
        "class C{n} {{\n    int a = 1;\n    int f(int b) {{\n        if (b > a) {{\n"
        "            return b;\n        }}\n        return a;\n    }}\n}}\n",
        "interface I{n}<T> {{\n    void g(T a) throws Exception;\n}}\n",
    ),
    "a.c": (
        "int f{n}(int a, char *b) {{\n    while (a--) {{\n        b[a] = 'x';\n"
        "    }}\n    return 0;\n}}\n",
        "struct s{n} {{\n    int a;\n    char b[4];\n}};\n",
        "#ifdef X{n}\n#define Y 1\n#endif\n",
    ),
    "a.cpp": (
        "template <typename T>\nclass C{n} {{\n  public:\n    T get() const {{ return a; }}\n"
        "  private:\n    T a;\n}};\n",
        "namespace n{n} {{\nauto f = [](int a) -> int {{\n    return a + 1;\n}};\n}}\n",
    ),
    "a.rb": (
        "def f{n}(a)\n  if a\n    a.each do |b|\n      puts b\n    end\n  end\nend\n",
        'class C{n}\n  attr_reader :a\n  def to_s = "#{{@a}}"\nend\n',
    ),
    "a.json": ('{{\n  "a": [1, 2, {{"b": null}}],\n  "c": "d"\n}}\n',),
    "a.yaml": (
        "k{n}:\n  - a: 1\n    b: [x, y]\n  - c\n",
        "m{n}:\n  run: |\n    one\n    two\n  with: {{a: 'b'}}\n",
    ),
    "a.toml": (
        '[t{n}]\na = 1\nb = [\n  "x",\n  "y",\n]\n',
        '[[u]]\nc = {{ d = 1979-05-27 }}\ne = """\nf\n"""\n',
    ),
}


def file_of(path: str, picks: list[int]) -> str:
    pieces = PIECES[path]
    if path == "a.json":
        return pieces[0].format()
    head = [pieces[0].format(n=0)]
    return "".join(
        head + [pieces[pick % len(pieces)].format(n=n) for n, pick in enumerate(picks, 1)]
    )
