using System.Reflection;
using Microsoft.CodeAnalysis;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>What is wrong with a template is told once, where it stands, and nothing is generated from it.</summary>
public sealed class DiagnosticTests
{
    /// <summary>Bodies of templates with the code at fault between &lt;| and |&gt;, and what else their class holds.</summary>
    private static readonly (string Id, string Body, string Members)[] Faults =
    [
        ("MMU005", "for (<|int i = Unroll.From(0), j = 1|>; i < 3; i++) { }", ""),
        ("MMU005", "for (<|int i = Unroll.From(0)|>; i < 3; ) { }", ""),
        ("MMU005", "int i = <|Unroll.From(0)|>;", ""),
        ("MMU006", "for (int i = Unroll.From(<|n[0]|>); i < 3; i++) { }", ""),
        ("MMU006", "for (int i = Unroll.From(0); <|i < n[0]|>; i++) { }", ""),
        ("MMU006", "for (int i = Unroll.From(0); i < 4; i += <|n[0]|>) { }", ""),
        ("MMU006", "int j = 0; for (int i = Unroll.From(0); i < 4; <|j++|>) { }", ""),
        ("MMU007", "for (int i = Unroll.From(0); <|i < 5000|>; i++) { }", ""),
        ("MMU007", "for (int i = Unroll.From(0); <|i >= 0|>; i = i * 2) { }", ""),
        ("MMU008", "for (int i = Unroll.From(0); i < 3; i++) { if (n[0] > 2) <|break;|> }", ""),
        ("MMU008", "for (int i = Unroll.From(0); i < 3; i++) { if (n[0] > 2) { <|continue;|> } n[i]++; }", ""),
        ("MMU008", "for (int i = Unroll.From(0); i < 3; i++) { switch (n[i]) { case 0: <|continue;|> } }", ""),
        ("MMU008", "for (int i = Unroll.From(0); i < 3; i++) { <|next: n[i]++;|> if (n[i] < 9) goto next; }", ""),
        ("MMU009", "for (int i = Unroll.From(0); i < 3; i++) { <|i|>++; }", ""),
        ("MMU009", "for (int i = Unroll.From(0); i < 3; i++) { <|i|> += 2; }", ""),
        ("MMU009", "for (int i = Unroll.From(0); i < 3; i++) { Set(ref <|i|>); }", "static void Set(ref int a) => a = 2;"),
        ("MMU009", "for (int i = Unroll.From(0); i < 3; i++) { Set(out <|i|>); }", "[Inlined] static void Set(out int a) => a = 2;"),
        ("MMU010", "int[] a = new int[<|n[0]|>];", ""),
        ("MMU010", "const int K = -1; int[] a = new int[<|K|>];", ""),
        ("MMU011", "int[] a = new int[3]; for (int i = 0; i < 3; i++) a[<|i|>] = 1;", ""),
        ("MMU011", "int[,] a = new int[3, 2]; a[1, <|n[0]|>]++;", ""),
        ("MMU012", "int[] a = new int[3]; for (int i = Unroll.From(0); i <= 3; i++) a[<|i|>] = 1;", ""),
        ("MMU012", "int[,] a = new int[3, 2]; const int K = -1; a[2, <|K|>] = 1;", ""),
        ("MMU012", "Pair p = default; for (int i = Unroll.From(0); i < 3; i++) n[i] = p[<|i|>];",
            "[Fields] struct Pair { int a, b; public int this[int i] => i == 0 ? a : b; public Pair(int c) { a = c; b = c; } }"),
        ("MMU013", "int[] a = new int[3]; Use(<|a|>);", "static void Use(int[] a) { }"),
        ("MMU013", "int[] a = new int[3]; <|a|> = n;", ""),
        ("MMU013", "int[] a = new int[3]; foreach (int i in <|a|>) { }", ""),
        ("MMU013", "int[] a = new int[3]; n[0] = <|a|>.GetHashCode();", ""),
        ("MMU013", "int[] a = new int[3]; Use(<|a|>);", "[Inlined] static void Use(int[] b) { b = new int[2]; }"),
        ("MMU014", "n[0] = <|Twice(3)|>;", "[Inlined] static int Twice(params int[] a) => 1;"),
        ("MMU014", "n[0] = <|new K().Twice(3)|>;", "[Inlined] int Twice(int a) => 1; int b;"),
        ("MMU014", "n[0] = Twice(n[1]);", "[Inlined] static int Twice(int a) { if (a > 2) { <|return 5;|> } return a; }"),
        ("MMU014", "n[0] = Twice(n[1]);", "[Inlined] static int Twice(int a) { for (int i = Unroll.From(0); i < 2; i++) { <|return 5;|> } return a; }"),
        ("MMU015", "n[0] = Even(n[1]);", "[Inlined] static int Even(int a) => Odd(a - 1); [Inlined] static int Odd(int a) => <|Even(a - 1)|>;"),
        ("MMU016", "while (<|Twice(n[0])|> < 5) { }", "[Inlined] static int Twice(int a) { a *= 2; return a; }"),
        ("MMU016", "for (int i = 0; i < 3; i += <|Twice(1)|>) { }", "[Inlined] static int Twice(int a) { a *= 2; return a; }"),
        ("MMU016", "n[0] = n[1] > 2 ? <|Twice(1)|> : 0;", "[Inlined] static int Twice(int a) { a *= 2; return a; }"),
        ("MMU016", "if (n[0] > 1 && <|Twice(1)|> > 0) { }", "[Inlined] static int Twice(int a) { a *= 2; return a; }"),
        ("MMU016", "while (<|Twice(n[0]++)|> < 5) { }", "[Inlined] static int Twice(int a) => a * 2;"),
        ("MMU016", "System.Func<int, int> f = a => <|Twice(a)|>; n[0] = f(2);", "[Inlined] static int Twice(int a) { a *= 2; return a; }"),
        ("MMU016", "int i = 0; Parts()[i].A = <|Twice(i++)|>;",
            "struct Part { public int A; } static Part[] Parts() => new Part[1]; [Inlined] static int Twice(int a) { a *= 2; return a; }"),
        ("MMU017", "n[0] = Other.Twice(2);", ""),
        ("MMU018", "for (int i = Unroll.From(-1); i < 2; i++) n[0] += <|7 / i|>;", ""),
        ("MMU018", "for (int i = Unroll.From(-1); i < 2; i++) n[0] += <|7 % (i + 1)|>;", ""),
        ("MMU019", "<|lock (n) { }|>", ""),
        ("MMU019", "System.Action f = () => <|{ n[0] = 1; }|>; f();", ""),
        ("MMU019", "int[,] a = <|new int[,] { { 1 }, { 2 } }|>;", ""),
        ("MMU020", "for (int i = Unroll.From(0); i < 1000; i++) for (int j = Unroll.From(0); j < 1000; j++) n[0]++;", ""),
    ];

    private static IEnumerable<TestCaseData> Cases => Faults.Select(fault => new TestCaseData(fault.Id, fault.Body, fault.Members));

    [TestCaseSource(nameof(Cases))]
    public void A_fault_of_the_body_is_told_at_its_place(string id, string body, string members) =>
        AssertFault(id, Source("[Unrolled(\"First\")] [Unrolled(\"Second\")] static void Template(int[] n) { " + body + " }" + members));

    [TestCase("MMU001", "partial class A { class B { [Unrolled(\"First\")] static void <|Template|>() { } } }")]
    [TestCase("MMU002", "partial class A { [Unrolled(\"First\")] void <|Template|>() { } }")]
    [TestCase("MMU002", "partial class A { [Unrolled(\"First\")] static extern void <|Template|>(); }")]
    [TestCase("MMU003", "partial class A { [<|Unrolled(\"a b\")|>] static void Template() { } }")]
    [TestCase("MMU003", "partial class A { [<|Unrolled(\"Template\")|>] static void Template() { } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"K\")|>] static void Template() { const int K = 1; } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"K=\")|>] static void Template() { const int K = 1; } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"K=a\")|>] static void Template() { const int K = 1; } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"K=1/0\")|>] static void Template() { const int K = 1; } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"L=3\")|>] static void Template() { const int K = 1; } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"K=0.5f\")|>] static void Template() { const int K = 1; } }")]
    [TestCase("MMU004", "partial class A { [<|Unrolled(\"First\", \"K=true\")|>] static void Template() { const int K = 1; } }")]
    public void A_fault_of_the_declaration_is_told_at_its_place(string id, string type) => AssertFault(id, Head + type);

    [Test]
    public void A_name_used_twice_is_told_and_the_first_is_generated()
    {
        Generation generation = Generation.Of(Head + "partial class A { [Unrolled(\"First\")] [Unrolled(\"First\")] static void Template() { } }");
        Assert.That(generation.Diagnostics.Select(diagnostic => diagnostic.Id), Is.EqualTo(new[] { "MMU003" }));
        Assert.That(generation.Variant("First"), Is.Not.Empty);
    }

    [Test]
    public void A_source_elsewhere_is_told()
    {
        Compilation library = Generation.Compile("[assembly: System.Runtime.CompilerServices.InternalsVisibleTo(\"Templates\")] namespace Mamba.Managed.ILGPU.Unrolling { public class InlinedAttribute : System.Attribute { } } "
            + "public static class Library { [Mamba.Managed.ILGPU.Unrolling.Inlined] public static int Twice(int a) => a * 2; }").WithAssemblyName("Library");
        Generation generation = Generation.With(library.ToMetadataReference(), Head + "partial class A { [Unrolled(\"First\")] static int Template() => Library.Twice(2); }");
        Assert.That(generation.Diagnostics.Select(diagnostic => diagnostic.Id), Is.EqualTo(new[] { "MMU014" }));
    }

    [Test]
    public void Every_diagnostic_is_tested()
    {
        IEnumerable<string> known = typeof(Diagnostics).GetFields(BindingFlags.Static | BindingFlags.Public)
            .Select(field => ((DiagnosticDescriptor)field.GetValue(null)!).Id);
        IEnumerable<string> tested = GetType().GetMethod(nameof(A_fault_of_the_declaration_is_told_at_its_place))!
            .GetCustomAttributes<TestCaseAttribute>().Select(test => (string)test.Arguments[0]!);
        Assert.That(known, Is.SubsetOf(tested.Concat(Faults.Select(fault => fault.Id))));
    }

    private const string Head = "using Mamba.Managed.ILGPU.Unrolling; namespace N; ";

    private static string Source(string members) => Head + "partial class K { " + members + " } "
        + "static class Other { [Inlined] internal static int Twice(int a) => a * <|Secret|>; private static int Secret => 2; }";

    private static void AssertFault(string id, string marked)
    {
        // The mark in the class that all share counts for the fault that is found there alone.
        string source = id == "MMU017" ? marked : marked.Replace("<|Secret|>", "Secret", StringComparison.Ordinal);
        int start = source.IndexOf("<|", StringComparison.Ordinal);
        int end = source.IndexOf("|>", StringComparison.Ordinal) - 2;
        Generation generation = Generation.Of(source.Replace("<|", "", StringComparison.Ordinal).Replace("|>", "", StringComparison.Ordinal));
        Diagnostic diagnostic = generation.Diagnostics.Single();
        TestContext.Out.WriteLine(diagnostic.GetMessage(null));
        Assert.Multiple(() =>
        {
            Assert.That(diagnostic.Id, Is.EqualTo(id));
            Assert.That(diagnostic.GetMessage(null), Does.Not.Contain("{").Or.Contains("{ "));
            Assert.That(generation.Result.GeneratedTrees, Has.Length.EqualTo(2), "markers alone are generated");
        });
        if (start >= 0)
        {
            Assert.That((diagnostic.Location.SourceSpan.Start, diagnostic.Location.SourceSpan.End), Is.EqualTo((start, end)), diagnostic.ToString());
        }
    }
}
