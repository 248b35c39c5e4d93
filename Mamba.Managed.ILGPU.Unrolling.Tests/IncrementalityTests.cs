using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>Templates are expanded anew when what they depend on changes, and only then.</summary>
public sealed class IncrementalityTests
{
    private const string Template = """
        using Mamba.Managed.ILGPU.Unrolling;
        partial class K
        {
            [Unrolled("Unrolled")]
            static float Template(Pair p) { float s = 0; for (int i = Unroll.From(0); i < Sizes.Count; i++) { s += Helper.Twice(p[i]); } return s; }
        }
        """;

    private const string Helper = "using Mamba.Managed.ILGPU.Unrolling; static class Helper { [Inlined] internal static float Twice(float a) => a * 2 + Deeper.Once(a); }";
    private const string Deeper = "using Mamba.Managed.ILGPU.Unrolling; static class Deeper { [Inlined] internal static float Once(float a) => a; }";
    private const string Pair = "using Mamba.Managed.ILGPU.Unrolling; [Fields] struct Pair { public float X, Y; public float this[int i] => i == 0 ? X : Y; }";
    private const string Sizes = "static class Sizes { public const int Count = More.Count; }";
    private const string More = "static class More { public const int Count = 2; }";
    private const string Other = "class Other { int a; }";

    private static readonly string[] Sources = [Template, Helper, Deeper, Pair, Sizes, More, Other];

    [TestCase(6, "int a", "int b")]
    [TestCase(6, "}", "void F() { F(); } }")]
    public void A_change_elsewhere_does_not_expand_again(int file, string old, string text)
    {
        (IncrementalStepRunReason reason, string before, string after) = Change(file, old, text);
        Assert.That(reason, Is.EqualTo(IncrementalStepRunReason.Cached));
        Assert.That(after, Is.EqualTo(before));
    }

    [TestCase(0, "float s = 0", "float s = 1")]
    [TestCase(0, "\"Unrolled\"", "\"Unrolled\", \"K=2\")] [Unrolled(\"Again\"")]
    [TestCase(1, "a * 2", "a * 3")]
    [TestCase(2, "=> a", "=> a + 1")]
    [TestCase(3, "X, Y", "Y, X")]
    [TestCase(5, "2", "1")]
    public void A_change_of_what_is_used_expands_again(int file, string old, string text)
    {
        (IncrementalStepRunReason reason, string before, string after) = Change(file, old, text);
        Assert.That(reason, Is.EqualTo(IncrementalStepRunReason.Modified));
        Assert.That(after, Is.Not.EqualTo(before));
    }

    [Test]
    public void The_same_sources_give_the_same_text()
    {
        string First() => string.Concat(Generation.Of(Sources).Result.GeneratedTrees.Select(tree => tree.ToString()));
        string first = First();
        Assert.That(First(), Is.EqualTo(first));
    }

    private static (IncrementalStepRunReason Reason, string Before, string After) Change(int file, string old, string text)
    {
        CSharpCompilation compilation = Generation.Compile(Sources);
        GeneratorDriver driver = Generation.Driver().RunGenerators(compilation);
        string before = Text(driver);
        SyntaxTree tree = compilation.SyntaxTrees[file];
        Assert.That(Sources[file], Does.Contain(old));
        SyntaxTree changed = tree.WithChangedText(Microsoft.CodeAnalysis.Text.SourceText.From(Sources[file].Replace(old, text, StringComparison.Ordinal)));
        driver = driver.RunGenerators(compilation.ReplaceSyntaxTree(tree, changed));
        IncrementalGeneratorRunStep step = driver.GetRunResult().Results[0].TrackedSteps[UnrollingGenerator.ExpansionStep].Single();
        return (step.Outputs.Single().Reason, before, Text(driver));
    }

    private static string Text(GeneratorDriver driver)
    {
        GeneratorDriverRunResult result = driver.GetRunResult();
        return string.Concat(result.GeneratedTrees.Select(tree => tree.ToString())) + string.Concat(result.Diagnostics);
    }
}
