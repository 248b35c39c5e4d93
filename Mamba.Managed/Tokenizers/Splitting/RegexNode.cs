namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>A part of a regular expression.</summary>
internal abstract record RegexNode
{
    /// <summary>One character of a set.</summary>
    internal sealed record One(CharacterSet Set) : RegexNode;

    /// <summary>One after the other; the empty text where there are none.</summary>
    internal sealed record Sequence(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>The first that leads to a match.</summary>
    internal sealed record Alternatives(IReadOnlyList<RegexNode> Choices) : RegexNode;

    /// <summary><paramref name="Least"/> to <paramref name="Most"/> times, as often as possible or, if lazy, as rarely.</summary>
    internal sealed record Repeat(RegexNode Body, int Least, int Most, bool IsLazy) : RegexNode;

    /// <summary>The first match of its body, and no other one.</summary>
    internal sealed record Atomic(RegexNode Body) : RegexNode;

    /// <summary>Whether its body matches here, or ends here; consumes nothing.</summary>
    internal sealed record Look(RegexNode Body, bool IsBehind, bool IsNegative) : RegexNode;

    /// <summary>A condition on a position.</summary>
    internal sealed record At(RegexAnchor Anchor) : RegexNode;

    /// <summary>The most of <see cref="Repeat"/> where there is no limit.</summary>
    public const int NoLimit = int.MaxValue;

    public static Sequence Nothing { get; } = new([]);

    public static RegexNode Concatenate(IReadOnlyList<RegexNode> parts) => parts.Count == 1 ? parts[0] : new Sequence(parts);
}

/// <summary>A condition on a position.</summary>
internal enum RegexAnchor
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastLine,
    WordBoundary,
    NoWordBoundary,
}
