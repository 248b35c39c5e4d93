using System.Text;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>
/// Writes a random template and inlined methods for it, all of integers: nested loops of both kinds, arrays, constants, branches, and calls with side
/// effects in the midst of expressions. The template is valid by construction: indices of arrays depend on unrolled variables alone.
/// </summary>
internal sealed class RandomTemplate(int seed)
{
    private static readonly string[] Operators = ["+", "-", "*", "&", "|", "^"];
    private static readonly string[] Assignments = ["=", "+=", "-=", "*=", "^=", "|=", "&="];
    private static readonly string[] Calls = ["Sum", "Bump", "Fold", "Mix", "Next", "Deep", "Swap"];

    private readonly Random random = new(seed);
    private readonly StringBuilder text = new();
    private readonly List<string> constants = ["Two", "Five"];
    private readonly List<string> variables = [];
    private readonly List<string> readOnly = [];
    private readonly List<(string Name, int Length)> arrays = [];
    private int names;
    private int calls;

    /// <summary>Methods that all random templates may call.</summary>
    public const string Members = """
        static int counter;
        static int Next() => counter++ * 3;
        [Inlined] static int Sum(int a, int b) => a + b * a;
        [Inlined] static int Bump(ref int a, int by) { a += by; return a - 1; }
        [Inlined] static int Fold(int[] a, int start) { int sum = start; for (int i = Unroll.From(0); i < a.Length; i++) { sum = sum * 3 + a[i]; a[i] ^= sum; } return sum; }
        [Inlined] static int Mix(int a, int kind) { if (kind == 0) return a; int t = a ^ kind; a = Sum(t, kind); return kind > 3 ? a : Sum(a, t + 1); }
        [Inlined] static int Deep(int[] a, ref int b, int c) { b -= c; int t = Fold(a, b) + Bump(ref b, c); return Sum(t, b) + Next(); }
        [Inlined] static int Swap(ref int a, int[] b) { int t = a; a = b[0]; b[0] = t; return t; }
        """;

    public string Body()
    {
        text.AppendLine("const int Two = 2; const int Five = Two * 2 + 1;");
        Declare(2);
        Array();
        Statements(6, depth: 3);
        foreach (string variable in variables)
        {
            text.AppendLine($"n[(n[0] ^ {variable}) & 15] += {variable};");
        }

        foreach ((string array, int length) in arrays)
        {
            text.AppendLine($"for (int i = Unroll.From(0); i < {length}; i++) n[i] ^= {array}[i] * (i + 3);");
        }

        return text.ToString();
    }

    private string Name(string stem) => $"{stem}{names++}";

    private T Any<T>(IReadOnlyList<T> items) => items[random.Next(items.Count)];

    private void Declare(int count)
    {
        for (int i = 0; i < count; i++)
        {
            string name = Name("v");
            text.AppendLine($"int {name} = {Expression(2)};");
            variables.Add(name);
        }
    }

    private void Array()
    {
        string name = Name("a");
        int length = 1 << random.Next(1, 4);
        text.AppendLine(random.Next(2) == 0 ? $"int[] {name} = new int[{length}];" : $"var {name} = new int[Two * {length} / 2];");
        arrays.Add((name, length));
    }

    private void Statements(int count, int depth)
    {
        for (int i = 0; i < count; i++)
        {
            Statement(depth);
        }
    }

    private void Statement(int depth)
    {
        calls = 0;
        switch (random.Next(depth > 0 ? 10 : 5))
        {
            case 0:
                Declare(1);
                break;
            case 1:
                text.AppendLine($"{Call()};");
                break;
            case 2 or 3 or 4:
                text.AppendLine($"{Target()} {Any(Assignments)} {Expression(3)};");
                break;
            case 5 or 6:
                UnrolledLoop(depth);
                break;
            case 7:
                RolledLoop(depth);
                break;
            case 8:
                Branch(depth);
                break;
            default:
                Array();
                break;
        }
    }

    private void UnrolledLoop(int depth)
    {
        string name = Name("u");
        string head = Any<string>(["= Unroll.From(0); {0} < 3; {0}++", "= Unroll.From(Five); {0} > 0; {0} -= 2", "= Unroll.From(-1); {0} <= Two; {0} += 2"]);
        Nested($"for (int {name} {head.Replace("{0}", name, StringComparison.Ordinal)})", depth, () => constants.Add(name));
    }

    private void RolledLoop(int depth)
    {
        string name = Name("r");
        Nested($"for (int {name} = 0; {name} < {random.Next(1, 4)}; {name}++)", depth, () => readOnly.Add(name));
    }

    private void Branch(int depth)
    {
        string condition = random.Next(2) == 0 ? $"({Constant()} & 3) > 1" : $"{Expression(1)} > {Expression(1)}";
        Nested($"if ({condition})", depth, () => { });
        if (random.Next(2) == 0)
        {
            Nested("else", depth, () => { });
        }
    }

    private void Nested(string head, int depth, Action declare)
    {
        (int c, int v, int r, int a) = (constants.Count, variables.Count, readOnly.Count, arrays.Count);
        text.AppendLine(head).AppendLine("{");
        declare();
        Statements(random.Next(1, 4), depth - 1);
        text.AppendLine("}");
        constants.RemoveRange(c, constants.Count - c);
        variables.RemoveRange(v, variables.Count - v);
        readOnly.RemoveRange(r, readOnly.Count - r);
        arrays.RemoveRange(a, arrays.Count - a);
    }

    private string Constant() => random.Next(3) switch
    {
        0 => $"{random.Next(-3, 9)}",
        1 => Any(constants),
        _ => $"({Any(constants)} {Any(Operators)} {random.Next(1, 5)})",
    };

    private string Element()
    {
        (string name, int length) = Any(arrays);
        return $"{name}[{Constant()} & {length - 1}]";
    }

    private string Target() => random.Next(4) switch
    {
        0 or 1 when arrays.Count > 0 => Element(),
        2 => $"n[{Expression(1)} & 15]",
        _ => Any(variables),
    };

    /// <summary>A call; two in an expression at most, so that templates stay small.</summary>
    private string Call()
    {
        calls++;
        (string array, _) = arrays[random.Next(arrays.Count)];
        string place = random.Next(3) == 0 ? Element() : Any(variables);
        return Any(Calls) switch
        {
            "Sum" => $"Sum({Expression(2)}, {Expression(1)})",
            "Bump" => $"Bump(ref {place}, {Expression(1)})",
            "Fold" => $"Fold({array}, {Expression(2)})",
            "Mix" => $"Mix({Expression(2)}, {Constant()})",
            "Deep" => $"Deep({array}, ref {Any(variables)}, {Expression(1)})",
            "Swap" => $"Swap(ref {Any(variables)}, b: {array})",
            _ => "Next()",
        };
    }

    private string Expression(int depth)
    {
        int kind = random.Next(depth > 0 ? 9 : 5);
        return kind switch
        {
            0 => Constant(),
            1 when arrays.Count > 0 => Element(),
            2 when variables.Count > 0 => Any(variables),
            3 => $"n[{Constant()} & 15]",
            4 when readOnly.Count > 0 => Any(readOnly),
            5 when calls < 2 && arrays.Count > 0 && variables.Count > 0 => Call(),
            6 when variables.Count > 0 => $"({Any(variables)}++ - {Expression(depth - 1)})",
            7 => $"(({Constant()} & 1) == 0 ? {Constant()} : -({Constant()}))",
            8 or 5 or 6 => $"({Expression(depth - 1)} {Any(Operators)} {Expression(depth - 1)})",
            _ => Constant(),
        };
    }
}
