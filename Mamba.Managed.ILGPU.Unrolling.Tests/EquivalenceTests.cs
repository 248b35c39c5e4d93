using System.Reflection;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>A template and its unrolled form compute the same: from x and n, into x, n and y.</summary>
public sealed class EquivalenceTests
{
    private static readonly (string Name, string Body, string Members)[] Templates =
    [
        ("nested loops", """
            for (int i = Unroll.From(0); i < 4; i++)
                for (int j = Unroll.From(i); j <= 6; j += 2)
                {
                    y[i] += x[j] * (i - j);
                }
            """, ""),
        ("loops of all steps", """
            for (int i = Unroll.From(8); i > 0; i >>= 1) y[i] += i;
            for (int i = Unroll.From(1); i < 16; i <<= 1) y[i] += i;
            for (int i = Unroll.From(7); i >= 0; --i) y[i] *= 2;
            for (int i = Unroll.From(9); i != 0; i -= 3) y[i] += i;
            for (int i = Unroll.From(1); i < 15; i *= 3) y[i] += i;
            for (long i = Unroll.From(15); i > 0; i /= 2) y[(int)i] += i;
            for (int i = Unroll.From(1); i < 15; i = i * 2 + 1) y[i] -= i;
            for (int i = Unroll.From(5); i < 5; i++) y[i] = float.NaN;
            """, ""),
        ("rolled loops around and inside", """
            float[] a = new float[3];
            for (int k = 0; k < n[0]; k++)
            {
                for (int i = Unroll.From(0); i < 3; i++)
                {
                    for (int j = 0, m = i; j < 5; j++, m++)
                    {
                        if (j == 3) break;
                        if (j == i) continue;
                        a[i] += x[j + m];
                    }
                }
            }
            for (int i = Unroll.From(0); i < a.Length; i++) y[i] = a[i];
            """, ""),
        ("arrays of two dimensions and inside loops", """
            const int Rows = 2, Columns = Rows * 3;
            var h = new int[Rows, Columns];
            for (int k = 0; k < 4; k++)
            {
                int[] fresh = new int[Rows];
                for (int r = Unroll.From(0); r < h.GetLength(0); r++)
                    for (int c = Unroll.From(0); c < h.GetLength(1); c++)
                    {
                        fresh[r] += n[c] + k;
                        h[r, c] ^= fresh[r] + r * Columns + c;
                    }
            }
            int at = 0;
            for (int r = Unroll.From(0); r < Rows; r++)
                for (int c = Unroll.From(0); c < Columns; c++)
                    y[at++] = h[r, c] + h.Length + h.Rank;
            """, ""),
        ("arrays with initial values", """
            float[] a = { 1, 2, x[3] };
            int[] b = new[] { 4, 5 };
            float[] c = new float[] { x[0], 3 };
            float[] d = [7, 8, x[1]];
            for (int i = Unroll.From(0); i < a.Length; i++) y[i] = a[i] / 4 + d[i] / 3;
            for (int i = Unroll.From(0); i < b.Length; i++) y[4 + i] = b[i] / 3 + c[i] / 2;
            """, ""),
        ("folding", """
            const bool Odd = true;
            const long Big = 1L << 40;
            const uint Mask = 0xF0u;
            for (int i = Unroll.From(-3); i < 4; i++)
            {
                n[i + 3] += (i % 2 == 0 ? i / 2 : i * i) + (i << 3) + (i >> 1) + ~i + (-i) + (i & 5) + (i | 9) + (i ^ 3);
                if (Odd && i > 0 || !Odd) n[i + 3] *= 3; else n[i + 3] -= 1;
                if (i == 2) { int n2 = 5; n[0] += n2; }
                y[i + 3] = (float)i / 3 + (byte)i + (uint)i % 7 + (Big + i) % 1000 + (Mask >> (i & 3)) + 0.1f * i + Math.Max(i, 1) + Math.Min(i, -1);
                y[8] += (short)(i * 20000) + (i < 0 ? -0.5f : 2) / 2 + (char)('a' + i);
                while (false) { n[0] = 0; }
            }
            """, ""),
        ("an unsigned variable and an unrolled one", """
            uint u = (uint)n[0] + 0xFFFFFFF0u;
            for (int i = Unroll.From(3); i < 13; i += 5) { y[i] = (u + i) / 3; y[i + 1] = u - i; y[i + 2] = i * u; n[i] = u < i - 5 ? 1 : 2; }
            """, ""),
        ("names that clash", """
            int a_0 = 5, a_1 = 6, value = 3, t = 1;
            int[] a = new int[2];
            int[] b = new int[2];
            for (int i = Unroll.From(0); i < 2; i++)
            {
                a[i] = a_0 + i;
                int b_1 = Twice(a[i] + n[i]) + Twice(a_1 + n[i]);
                b[i] = b_1 + value + t;
            }
            for (int i = Unroll.From(0); i < 2; i++) n[i] = a[i] * 100 + b[i];
            """, "[Inlined] static int Twice(int value) { int t = value; int a_0 = t + value; return a_0; }"),
        ("fields", """
            var v = new Quad[2];
            Quad w = new Quad { X = 1, W = 4 };
            for (int j = Unroll.From(0); j < 8; j++)
            {
                v[j / 4][j % 4] = x[j];
                w[j % 4] += v[j / 4][j % 4] * 2;
            }
            for (int j = Unroll.From(0); j < 4; j++) y[j] = w[j] - v[1][3 - j];
            y[9] = w[n[0] & 3];
            Set(ref v[0].Z, 5);
            y[10] = v[0].Z + Total(v[1]);
            """, "[Inlined] static void Set(ref float f, float value) => f = value + f; [Inlined] static float Total(Quad q) { float s = 0; for (int i = Unroll.From(0); i < 4; i++) s += q[i]; return s; }"),
        ("inlined expressions", """
            float f = x[1];
            y[0] = Square(x[0]) + Square(f) + Square(f + 1) * Square(2) - Half(f, by: 4) - Half(3);
            y[1] = -Difference(f - 1, f) * 2;
            n[0] = Scale<int>(n[1], 3) + (Text(n[0]).Length + (Text("b")).Length) * 3 + (n.Length) * 2;
            if (Square(f) > Square(f + 2) || Square(f * 3) < 4) y[2] = 1;
            """, """
            [Inlined] static float Square(float a) => a * a;
            [Inlined] static string Text(object a) => "a\"" + a + "c";
            [Inlined] static float Half(float a, int by = 2) => a / by;
            [Inlined] static float Difference(float a, float b) => a - b;
            [Inlined] static T Scale<T>(T a, T b) where T : struct => Pick<T>(b, a);
            [Inlined] static T Pick<T>(T a, T b) => true ? b : a;
            """),
        ("inlined blocks", """
            float[] a = new float[4], b = new float[4];
            Load(a, x, 0);
            Load(b, x, 4);
            float dot = Dot(a, b) + Dot(b, b) * 2;
            Swap(ref a[1], ref b[2]);
            Split(dot, out int whole, out float rest);
            y[0] = dot; y[1] = a[1]; y[2] = b[2]; y[3] = whole; y[4] = rest;
            y[5] = Deep(whole, 3) + Deep(n[0], 2);
            Split(2.5f, out whole, out _);
            n[3] = whole;
            """, """
            [Inlined] static void Load(float[] a, float[] from, int at) { for (int i = Unroll.From(0); i < a.Length; i++) a[i] = from[at + i]; }
            [Inlined] static float Dot(float[] a, float[] b) { float sum = 0; for (int i = Unroll.From(0); i < a.Length; i++) sum += a[i] * b[i]; return sum; }
            [Inlined] static void Swap(ref float a, ref float b) { float t = a; a = b; b = t; }
            [Inlined] static void Split(float f, out int whole, out float rest) { whole = (int)f; rest = f - whole; }
            [Inlined] static int Deep(int a, int times) { a++; int r = 0; for (int i = Unroll.From(0); i < times; i++) { r += Deeper(a) + i; } return r; }
            [Inlined] static int Deeper(int a) { int t = a * 2; a = t + 1; return a; }
            """),
        ("order of evaluation", """
            int i = 0;
            y[i++] = i + Bump(ref i) * 10 + i;
            n[Bump(ref i)] += Bump(ref i) + n[Bump(ref i) % 4];
            i += Bump(ref i) * 2;
            y[3] = i - Bump(ref i) - Next() * Bump(ref i) - Next();
            int[] a = new int[2];
            a[0] = 3;
            a[0] += Change(a, a[0]) + a[0];
            y[4] = a[0] + Change(a, a[0] + 1) * a[0];
            y[5] = Two(i++, Bump(ref i)) + Two(n[0], Store(n)) + Two(i, i = 7);
            y[6] = counter++ + Next() + counter;
            y[7] = i;
            """, """
            static int counter;
            static int Next() => counter++ * 3;
            [Inlined] static int Bump(ref int i) { i += 2; return i - 1; }
            [Inlined] static int Change(int[] a, int b) { a[0] = b + a[0]; return a[0] - b; }
            [Inlined] static int Two(int a, int b) => a * 3 + b;
            [Inlined] static int Store(int[] n) { n[0] += 5; return n[0]; }
            """),
        ("places computed with side effects", """
            int i = 0;
            Views(n)[i++] += Bump(ref i) + Views(n)[Bump(ref i)] - i;
            Views(n)[i++] = Count(n) + Views(n)[Bump(ref i) & 7].CompareTo(Bump(ref i)) + Next(i);
            y[0] = Make(i)[2] + Make(i).Y + (new Quad { X = i++, Y = Bump(ref i), Z = i })[1];
            int[] a = new int[2], b = a;
            b[0] = i; a[1] = b[0] + b.Length;
            y[1] = a[0] + b[1] + counter;
            """, """
            static int counter;
            static int Next(int i) => counter++ * i;
            static int[] Views(int[] n) { counter += 3; return n; }
            static Quad Make(int i) { counter *= 2; return new Quad { X = i, Y = counter, Z = 3 }; }
            [Inlined] static int Bump(ref int i) { i += 1; counter++; return i - 1; }
            [Inlined] static int Count(int[] n) { n[1] += counter; return n[0]; }
            """),
        ("early constant returns", """
            for (int i = Unroll.From(0); i < 3; i++) { y[i] = Choose(i, x[i]); }
            """, "[Inlined] static float Choose(int kind, float f) { if (kind == 0) return f; if (kind == 1) { float g = f * f; return g + 1; } return f / 2; }"),
        ("statements of all kinds", """
            int s = 0;
            foreach (int m in n)
            {
                switch (m & 3)
                {
                    case 0: case 1: s += 1; break;
                    case 2: { for (int i = Unroll.From(0); i < 2; i++) s += i; break; }
                    default: if (m > 5) break; s -= Clip(m, 0, 3); break;
                }
            }
            do { s++; } while (s < 10);
            int k = 3;
            while (k-- > 0) { if (k == 1) continue; s += k; }
            checked { s += 1; }
            unchecked { s *= 3; }
            var (p, q) = (s + 1, s - 1);
            (p, q) = (q, p);
            if (p is int r && r > 3) s += r;
            for (; ; ) { s++; if (s > 50) break; }
            y[0] = s + p * q;
            Func<int, int> twice = a => a * 2 + k;
            y[1] = twice(s);
            string text = $"{s:D3}" + $"{Clip(5, 0, 3)}" + "x" + nameof(s);
            y[2] = text.Length;
            """, "[Inlined] static int Clip(int v, int low, int high) => v < low ? low : v > high ? high : v;"),
        ("const fields", """
            for (int i = Unroll.From(0); i < Double; i++) { y[i] = i + Limit(i); }
            n[0] = Double + (int)Kind.Two + Deep.Inner;
            if (Mode == Kind.Two) n[1] = 5;
            """, """
            const int Count = 3; const int Double = Count * 2; const Kind Mode = Kind.Two; enum Kind { One, Two }
            static class Deep { public const int Inner = Count + 4; }
            [Inlined] static int Limit(int i) => i < Count ? i : Count;
            """),
        ("conditions without place for statements", """
            int i = 0;
            while (Sum(i * 2, n[0]) < 12) { i++; }
            y[0] = i > 2 && Sum(i + 1, 3) > 4 ? Sum(i, i) : -Sum(i - 1, 2);
            """, "[Inlined] static int Sum(int a, int b) => a + b * a;"),
        ("extensions and generic types", """
            y[0] = x[0].Plus(x[1]) + 3f.Plus(4);
            y[1] = Box<int>.First(n[0], n[1]) + Box<float>.First(x[0], 1);
            y[2] = x[2].Plus(x[1]).Plus(1) + Extensions.Biggest + Calls(n[2]);
            """, "[Inlined] static int Calls(int i) => Box<int>.Helper(i) + Box<long>.Nested.Of(i).Length;"),
    ];

    private const string Support = """
        using System.Text; using Text2 = System.Text.StringBuilder; using Mamba.Managed.ILGPU.Unrolling; namespace Elsewhere.Deeper
        {
            static class Extensions
            {
                private const int Hidden = 5; public const int Biggest = 1 << 10;
                [Inlined] public static float Plus(this float a, float b) => a * Factor + b + Hidden + new StringBuilder().Length;
                internal static float Factor => 2;
            }
            static class Box<T>
            {
                [Inlined] internal static T First(T a, T b) { T[] both = new T[2]; both[0] = a; both[1] = b; Text2 t = new(); t.Append(typeof(T).Name); T c = default; return t.Length > 3 ? both[0] : c; }
                [Inlined] internal static int Helper(int i) => Inner(i) + Nested.Of(i).Length + new Text2("ab").Length;
                internal static int Inner(int i) => i;
                internal static class Nested { internal static string Of(int i) => i.ToString() + typeof(T); }
            }
        }
        """;

    private static IEnumerable<TestCaseData> Cases =>
        Templates.Select(template => new TestCaseData(template.Body, template.Members).SetArgDisplayNames(template.Name));

    [TestCaseSource(nameof(Cases))]
    public void Template_and_unrolled_method_compute_the_same(string body, string members) => AssertEqual(body, members);

    internal static void AssertEqual(string body, string members)
    {
        string source = $$"""
            using System; using Elsewhere.Deeper; using Mamba.Managed.ILGPU.Unrolling; namespace N;
            [Fields] struct Quad
            {
                public float X, Y, Z, W;
                public float this[int i]
                {
                    readonly get => i switch { 0 => X, 1 => Y, 2 => Z, _ => W };
                    set { if (i == 0) X = value; else if (i == 1) Y = value; else if (i == 2) Z = value; else W = value; }
                }
            }
            static partial class K
            {
                [Unrolled("Unrolled")]
                static void Template(float[] x, int[] n, float[] y)
                {
                    {{body}}
                }
                {{members}}
            }
            """;
        Generation generation = Generation.Of(source, Support);
        Assert.That(generation.Diagnostics, Is.Empty);
        TestContext.Out.WriteLine(generation.Body());
        Assert.That(generation.Body(), Does.Not.Contain("Unroll.From").And.Not.Contain("new float["));
        Assembly assembly = generation.Load();
        for (int seed = 0; seed < 4; seed++)
        {
            Assert.That(Run(assembly, "Unrolled", seed), Is.EqualTo(Run(assembly, "Template", seed)));
        }
    }

    private static (float[] X, int[] N, float[] Y) Run(Assembly assembly, string method, int seed)
    {
        Random random = new(seed);
        float[] x = [.. Enumerable.Range(0, 16).Select(_ => (random.NextSingle() * 8) - 4)];
        int[] n = [.. Enumerable.Range(0, 16).Select(_ => random.Next(0, 9))];
        float[] y = new float[16];
        assembly.GetType("N.K")!.GetField("counter", BindingFlags.Static | BindingFlags.NonPublic)?.SetValue(null, 0);
        Generation.Call(assembly, "N.K", method, x, n, y);
        return (x, n, y);
    }
}

