namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>What is known of the part of an expression that follows a place.</summary>
/// <param name="First">The characters that it may begin with; it may be that some of them do not occur.</param>
/// <param name="MayBeEmpty">Whether it may match without consuming.</param>
/// <param name="Always">Whether it matches in every case.</param>
internal sealed record RegexFollow(CharacterSet First, bool MayBeEmpty, bool Always)
{
    /// <summary>Nothing follows.</summary>
    public static RegexFollow End { get; } = new(CharacterSet.Empty, MayBeEmpty: true, Always: true);

    /// <summary>What is known where <paramref name="node"/> comes before.</summary>
    public RegexFollow After(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.One one:
                return new(one.Set, MayBeEmpty: false, Always: false);
            case RegexNode.Sequence sequence:
                return sequence.Parts.Reverse().Aggregate(this, (follow, part) => follow.After(part));
            case RegexNode.Alternatives alternatives:
                RegexFollow[] choices = [.. alternatives.Choices.Select(After)];
                return new(choices.Aggregate(CharacterSet.Empty, (all, choice) => all.Union(choice.First)), choices.Any(choice => choice.MayBeEmpty), choices.Any(choice => choice.Always));
            case RegexNode.Repeat { Most: 0 }:
                return this;
            case RegexNode.Repeat repeat:
                RegexFollow body = End.After(repeat.Body);
                bool mayBeEmpty = repeat.Least == 0 || body.MayBeEmpty;
                return new(mayBeEmpty ? body.First.Union(First) : body.First, mayBeEmpty && MayBeEmpty, (repeat.Least == 0 || body.Always) && Always);
            case RegexNode.Atomic atomic:
                RegexFollow inner = End.After(atomic.Body);
                return new(inner.MayBeEmpty ? inner.First.Union(First) : inner.First, inner.MayBeEmpty && MayBeEmpty, inner.Always && Always);
            default:
                return this with { Always = false };
        }
    }

    /// <summary>Whether a match may begin at a place of a dispatch table.</summary>
    public bool MayBegin(int entry) => MayBeEmpty || entry switch
    {
        RegexProgram.TableEnd => false,
        RegexProgram.TableOther => First.Ranges.Count > 0 && First.Ranges[^1].Last >= 0x80,
        _ => First.Contains(entry),
    };
}
