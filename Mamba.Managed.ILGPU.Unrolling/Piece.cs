using Microsoft.CodeAnalysis.CSharp;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>What an expression does beside computing from locals; it decides whether two expressions may change places.</summary>
[Flags]
internal enum Touch
{
    /// <summary>Reads locals and constants only.</summary>
    Nothing = 0,

    /// <summary>Reads memory that calls and assignments might change.</summary>
    Memory = 1,

    /// <summary>Changes memory or locals, or calls what may.</summary>
    Effects = 2,
}

/// <summary>An expression of the template in its generated form.</summary>
internal readonly struct Piece(string text, object? constant = null, Touch touch = Touch.Nothing, ScalarArray? array = null)
{
    /// <summary>The expression as C#.</summary>
    public string Text { get; } = text;

    /// <summary>Its value if that is known: a boxed bool, number, char or string.</summary>
    public object? Constant { get; } = constant;

    public Touch Touch { get; } = touch;

    /// <summary>The scalars, if this is a local array that became such.</summary>
    public ScalarArray? Array { get; } = array;

    /// <summary>Whether this is one local variable.</summary>
    public bool IsLocal => Constant is null && Array is null && Touch == Touch.Nothing && SyntaxFacts.IsValidIdentifier(Text);

    public static Piece Of(object constant) => new(Literals.Text(constant), constant);
}

/// <summary>A local array of the template whose elements are locals of the generated method.</summary>
internal sealed class ScalarArray(string name, IReadOnlyList<int> lengths, IReadOnlyList<string> elements)
{
    /// <summary>The name in the template.</summary>
    public string Name { get; } = name;

    /// <summary>The length of each dimension.</summary>
    public IReadOnlyList<int> Lengths { get; } = lengths;

    /// <summary>The names of the elements, the last dimension fastest.</summary>
    public IReadOnlyList<string> Elements { get; } = elements;
}
