namespace Mamba.Managed.Grammars;

/// <summary>An edge that reads one byte of a range.</summary>
internal readonly record struct ByteEdge(byte Low, byte High, int Target);

/// <summary>An edge that reads a text of another rule.</summary>
internal readonly record struct CallEdge(int Rule, int Target);

/// <summary>States that are copies of one another, one copy after the other: a repetition that is counted.</summary>
/// <param name="Start">The first state of the first copy.</param>
/// <param name="Stride">The states of a copy; its last leads into the next.</param>
/// <param name="Count">The copies.</param>
/// <param name="Least">Behind so many the repetition may end.</param>
internal readonly record struct Copies(int Start, int Stride, int Count, int Least);

/// <summary>One rule as a nondeterministic automaton over bytes, with calls of other rules.</summary>
internal sealed class RuleBuilder
{
    private readonly GrammarRules rules;
    private readonly List<List<ByteEdge>?> bytes = [];
    private readonly List<List<CallEdge>?> calls = [];
    private readonly List<List<int>?> empty = [];
    private readonly List<Copies> copies = [];
    private bool isInCopies;

    /// <summary>Writes a rule.</summary>
    /// <exception cref="InvalidDataException">The grammar takes too many states.</exception>
    public RuleBuilder(GrammarRules rules, Expression body)
    {
        this.rules = rules;
        int start = AddState();
        End = body.Build(this, start);
    }

    /// <summary>The state at the end; the first state is 0.</summary>
    public int End { get; }

    /// <summary>The number of states.</summary>
    public int Count => bytes.Count;

    /// <summary>The repetitions that are within no other, ascending.</summary>
    public IReadOnlyList<Copies> Copies => copies;

    /// <summary>A new state without edges.</summary>
    public int AddState()
    {
        rules.CountState();
        bytes.Add(null);
        calls.Add(null);
        empty.Add(null);
        return bytes.Count - 1;
    }

    /// <summary>Begins a repetition.</summary>
    /// <returns>Whether it is within no other.</returns>
    public bool EnterCopies()
    {
        bool isOuter = !isInCopies;
        isInCopies = true;
        return isOuter;
    }

    /// <summary>Ends the repetition that is within no other.</summary>
    public void LeaveCopies(Copies written)
    {
        isInCopies = false;
        if (written.Stride > 0)
        {
            copies.Add(written);
        }
    }

    /// <summary>An edge that reads a byte.</summary>
    public void AddBytes(int from, byte low, byte high, int to) => (bytes[from] ??= []).Add(new(low, high, to));

    /// <summary>An edge that reads nothing.</summary>
    public void AddEmpty(int from, int to) => (empty[from] ??= []).Add(to);

    /// <summary>An edge that reads another rule.</summary>
    public void AddCall(int from, int rule, int to) => (calls[from] ??= []).Add(new(rule, to));

    /// <summary>The body of a rule that is written in place of its calls; null for others.</summary>
    public Expression? Inlined(int rule) => rules.Inlined(rule);

    /// <summary>The edges of a state that read a byte.</summary>
    public IReadOnlyList<ByteEdge> BytesFrom(int state) => (IReadOnlyList<ByteEdge>?)bytes[state] ?? [];

    /// <summary>The edges of a state that read another rule.</summary>
    public IReadOnlyList<CallEdge> CallsFrom(int state) => (IReadOnlyList<CallEdge>?)calls[state] ?? [];

    /// <summary>The edges of a state that read nothing.</summary>
    public IReadOnlyList<int> EmptyFrom(int state) => (IReadOnlyList<int>?)empty[state] ?? [];
}
