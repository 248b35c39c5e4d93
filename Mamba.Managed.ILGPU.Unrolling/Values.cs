using System.Collections;
using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>A list that is equal to another of the same items, as the values of an incremental pipeline must be.</summary>
internal readonly struct EquatableList<T>(IReadOnlyList<T> items) : IEquatable<EquatableList<T>>, IEnumerable<T>
    where T : IEquatable<T>
{
    private readonly IReadOnlyList<T>? items = items;

    private IReadOnlyList<T> Items => items ?? [];

    public bool Equals(EquatableList<T> other) => Items.SequenceEqual(other.Items);

    public override bool Equals(object? obj) => obj is EquatableList<T> other && Equals(other);

    public override int GetHashCode() => Items.Aggregate(17, (hash, item) => unchecked((hash * 31) + item.GetHashCode()));

    public IEnumerator<T> GetEnumerator() => Items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>A diagnostic as a value: nothing in it holds on to a compilation.</summary>
internal sealed class Problem(DiagnosticDescriptor descriptor, string path, TextSpan span, LinePositionSpan lines, EquatableList<string> arguments)
    : IEquatable<Problem>
{
    private readonly (DiagnosticDescriptor Descriptor, string Path, TextSpan Span, LinePositionSpan Lines, EquatableList<string> Arguments) content =
        (descriptor, path, span, lines, arguments);

    public static Problem At(DiagnosticDescriptor descriptor, SyntaxNodeOrToken node, params object?[] arguments)
    {
        FileLinePositionSpan lines = node.SyntaxTree!.GetLineSpan(node.Span);
        return new Problem(descriptor, lines.Path, node.Span, lines.Span, new EquatableList<string>([.. arguments.Select(Text)]));
    }

    /// <summary>Code on one line, shortened; symbols with their full names.</summary>
    private static string Text(object? argument)
    {
        string text = argument is ISymbol symbol ? symbol.ToDisplayString() : Convert.ToString(argument, CultureInfo.InvariantCulture) ?? "";
        string line = string.Join(" ", text.Split([' ', '\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= 100 ? line : line.Substring(0, 97) + "...";
    }

    public Diagnostic ToDiagnostic() => Diagnostic.Create(content.Descriptor, Location.Create(content.Path, content.Span, content.Lines),
        content.Arguments.ToArray<object>());

    public bool Equals(Problem? other) => other is not null && content.Equals(other.content);

    public override bool Equals(object? obj) => Equals(obj as Problem);

    public override int GetHashCode() => content.GetHashCode();
}

/// <summary>What became of a template: generated files, and what is wrong.</summary>
internal sealed class Expansion(IReadOnlyList<GeneratedFile> files, IReadOnlyList<Problem> problems) : IEquatable<Expansion>
{
    public EquatableList<GeneratedFile> Files { get; } = new(files);

    public EquatableList<Problem> Problems { get; } = new(problems);

    public bool Equals(Expansion? other) => other is not null && Files.Equals(other.Files) && Problems.Equals(other.Problems);

    public override bool Equals(object? obj) => Equals(obj as Expansion);

    public override int GetHashCode() => Files.GetHashCode();
}

/// <summary>A generated file: its name and its text.</summary>
internal sealed class GeneratedFile(string name, string text) : IEquatable<GeneratedFile>
{
    public string Name { get; } = name;

    public string Text { get; } = text;

    public bool Equals(GeneratedFile? other) => other is not null && Name == other.Name && Text == other.Text;

    public override bool Equals(object? obj) => Equals(obj as GeneratedFile);

    public override int GetHashCode() => Text.GetHashCode();
}
