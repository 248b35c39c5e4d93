using System.Collections.Immutable;
using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>Templates run through the generator and the compiler.</summary>
internal sealed class Generation
{
    private static readonly CSharpParseOptions Options = new(LanguageVersion.Latest);

    private static readonly ImmutableArray<MetadataReference> References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path).StartsWith("System.", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    private readonly Compilation compilation;

    private Generation(Compilation compilation, GeneratorDriverRunResult result)
    {
        this.compilation = compilation;
        Result = result;
    }

    public GeneratorDriverRunResult Result { get; }

    public ImmutableArray<Diagnostic> Diagnostics => Result.Diagnostics;

    /// <summary>The generated file of a variant.</summary>
    public string Variant(string name = "Unrolled") =>
        Result.GeneratedTrees.Single(tree => tree.FilePath.EndsWith($".{name}.g.cs", StringComparison.Ordinal)).ToString();

    /// <summary>The lines inside the generated method, without their common indentation.</summary>
    public string Body(string name = "Unrolled")
    {
        string[] lines = Variant(name).Split('\n');
        int start = Array.FindIndex(lines, line => line.Contains("internal static", StringComparison.Ordinal)) + 2;
        int indentation = lines[start - 1].Length - 1;
        int end = Array.FindIndex(lines, start, line => line == new string(' ', indentation) + "}");
        return string.Join('\n', lines[start..end].Select(line => line[(indentation + 4)..]));
    }

    /// <summary>Compiles the sources with what is generated for them; nothing but the generator may complain.</summary>
    public static Generation Of(params string[] sources) => Of(Compile(sources));

    /// <summary>The same with one reference more.</summary>
    public static Generation With(MetadataReference reference, params string[] sources) => Of(Compile(sources).AddReferences(reference));

    private static Generation Of(CSharpCompilation compilation)
    {
        GeneratorDriver driver = Driver();
        driver = driver.RunGeneratorsAndUpdateCompilation(compilation, out Compilation output, out _);
        GeneratorDriverRunResult result = driver.GetRunResult();
        Assert.That(result.Results.Select(run => run.Exception), Has.All.Null);
        return new Generation(output, result);
    }

    public static GeneratorDriver Driver() => CSharpGeneratorDriver.Create([new UnrollingGenerator().AsSourceGenerator()], parseOptions: Options,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackIncrementalGeneratorSteps: true));

    public static CSharpCompilation Compile(params string[] sources) => CSharpCompilation.Create("Templates",
        sources.Select((source, i) => CSharpSyntaxTree.ParseText(source, Options, $"Source{i}.cs")), References,
        new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));

    /// <summary>Compiles templates without problems into an assembly.</summary>
    public Assembly Load()
    {
        Assert.That(Diagnostics, Is.Empty, () => Diagnostics.First().ToString());
        using MemoryStream stream = new();
        var emitted = compilation.Emit(stream);
        Assert.That(emitted.Diagnostics.Where(IsFault), Is.Empty, () => AllText());
        return Assembly.Load(stream.ToArray());
    }

    /// <summary>Calls a static method.</summary>
    public static object? Call(Assembly assembly, string type, string method, params object?[] arguments)
    {
        MethodInfo? found = assembly.GetType(type, throwOnError: true)!
            .GetMethod(method, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic);
        Assert.That(found, Is.Not.Null);
        return found!.Invoke(null, arguments);
    }

    private bool IsFault(Diagnostic diagnostic) => diagnostic.Severity == DiagnosticSeverity.Error
        || (diagnostic.Severity == DiagnosticSeverity.Warning && Result.GeneratedTrees.Contains(diagnostic.Location.SourceTree!));

    private string AllText() => string.Join('\n', Result.GeneratedTrees.Skip(2).Select(tree => tree.ToString()));
}
