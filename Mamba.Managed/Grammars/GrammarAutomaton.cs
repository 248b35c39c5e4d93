namespace Mamba.Managed.Grammars;

/// <summary>A state of a rule: what may be read from it, and whether the rule may end here.</summary>
/// <param name="Bytes">Ascending, apart from each other.</param>
/// <param name="Calls">Other rules that may be read, each once, with the state after it.</param>
/// <param name="MayEnd">Whether the rule may end.</param>
internal sealed record GrammarState(ByteEdge[] Bytes, CallEdge[] Calls, bool MayEnd)
{
    /// <summary>A state of the same counted repetition, further from its end, that reads the same for the next <see cref="Slack"/> bytes; -1 for none.</summary>
    public int Twin { get; init; } = -1;

    /// <summary>For how many bytes <see cref="Twin"/> reads the same.</summary>
    public int Slack { get; init; }

    /// <summary>Whether nothing but the end is left.</summary>
    public bool IsEnd => MayEnd && Bytes.Length == 0 && Calls.Length == 0;

    /// <summary>The state after a byte; -1 for none.</summary>
    public int After(byte value)
    {
        int low = 0, high = Bytes.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            ByteEdge edge = Bytes[middle];
            if (value < edge.Low)
            {
                high = middle - 1;
            }
            else if (value > edge.High)
            {
                low = middle + 1;
            }
            else
            {
                return edge.Target;
            }
        }

        return -1;
    }
}

/// <summary>A grammar as one deterministic automaton for each rule, with calls between them.</summary>
/// <remarks>
/// From every state its rule can end, so that no text that was read so far is a dead end. Rules are numbered so that one that another may begin
/// with comes after it; a rule that may be empty can be passed over where it is called, so that no call needs to read nothing.
/// </remarks>
/// <param name="States">Of all rules.</param>
/// <param name="Starts">The first state of each rule.</param>
/// <param name="Root">The first state of the whole.</param>
/// <param name="ClassOf">[256]: the class of each byte; the automaton treats all bytes of one alike.</param>
/// <param name="Classes">The number of classes.</param>
internal sealed record GrammarAutomaton(GrammarState[] States, int[] Starts, int Root, byte[] ClassOf, int Classes);
