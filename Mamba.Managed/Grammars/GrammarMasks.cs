using System.Numerics.Tensors;

namespace Mamba.Managed.Grammars;

/// <summary>Which tokens may follow, for a grammar and a vocabulary: one bit a token, made once for each configuration.</summary>
/// <remarks>
/// A mask has two parts. What a state allows by itself, while its rule lasts, is found by one walk over the tokens for all places that lead to it:
/// within a string that is nearly every token. The few bytes at which the rule may end in the midst of a token are kept as exits; behind them the
/// walk goes on with what waits for the rule, for each configuration anew (as in XGrammar, Dong et al. 2024).
/// </remarks>
internal sealed class GrammarMasks
{
    // What is kept of one grammar; beyond it all is forgotten and found again.
    private const long MostBytes = 48 << 20;

    // A step of a real grammar stays far below a million.
    private const long MostWorkPerMask = 1 << 22;

    // Nearer to a bound there are too few tokens that are not longer.
    private const int LeastSlack = 4;

    private readonly Lock gate = new();
    private readonly GrammarAutomaton automaton;
    private readonly Configuration[] path;
    private readonly int words;
    private readonly GrammarMachine machine;
    private readonly Dictionary<int, StateTokens> byState = [];
    private readonly Dictionary<(StateTokens State, Configuration? After), ulong[]> byWay = [];
    private long bytes;
    private bool isOverfull;

    /// <summary>Nothing is found out yet.</summary>
    public GrammarMasks(GrammarAutomaton automaton, GrammarVocabulary vocabulary)
    {
        this.automaton = automaton;
        Vocabulary = vocabulary;
        machine = new(automaton);
        path = new Configuration[vocabulary.Trie.MostDepth + 1];
        words = (vocabulary.Size + 63) / 64;
    }

    /// <summary>The tokens.</summary>
    public GrammarVocabulary Vocabulary { get; }

    /// <summary>Before the first token.</summary>
    public Configuration Start()
    {
        lock (gate)
        {
            return machine.Start();
        }
    }

    /// <summary>After a token's bytes; a dead configuration where they may not follow.</summary>
    /// <exception cref="InvalidDataException">The grammar is too ambiguous.</exception>
    public Configuration After(Configuration configuration, ReadOnlySpan<byte> token)
    {
        foreach (byte value in token)
        {
            configuration = configuration.Known(automaton.ClassOf[value]) ?? Next(configuration, value);
        }

        return configuration;
    }

    /// <summary>The tokens that may follow, a bit for each id.</summary>
    /// <exception cref="InvalidDataException">The grammar is too ambiguous.</exception>
    public ulong[] MaskOf(Configuration configuration)
    {
        if (configuration.Mask is { } mask)
        {
            return mask;
        }

        lock (gate)
        {
            configuration.Mask ??= Make(configuration);
            return configuration.Mask;
        }
    }

    private Configuration Next(Configuration configuration, byte value)
    {
        lock (gate)
        {
            return NextWithin(configuration, value);
        }
    }

    // What the machine keeps is bounded within one walk, too. What is kept here refers to it, and is let go before the next mask.
    private Configuration NextWithin(Configuration configuration, byte value)
    {
        if (machine.Bytes > MostBytes)
        {
            machine.Forget();
            isOverfull = true;
        }

        return machine.Next(configuration, value);
    }

    private ulong[] Make(Configuration configuration)
    {
        if (isOverfull || machine.Bytes + bytes > MostBytes)
        {
            machine.Forget();
            byState.Clear();
            byWay.Clear();
            (bytes, isOverfull) = (0, false);
        }

        long most = machine.Work + MostWorkPerMask;
        if (configuration.Tops is [Top only])
        {
            return MaskOf(only, most);
        }

        ulong[] mask = new ulong[words];
        bytes += 8 * words;
        foreach (Top top in configuration.Tops)
        {
            TensorPrimitives.BitwiseOr(mask, MaskOf(top, most), mask);
        }

        return mask;
    }

    private ulong[] MaskOf(Top top, long most)
    {
        StateTokens state = TokensOf(top.State, most);
        Configuration? after = state.Exits.Length == 0 ? null : machine.AfterReturn(top.Frame);
        after = after?.Tops.Length > 0 ? after : null;
        if (byWay.TryGetValue((state, after), out ulong[]? known))
        {
            return known;
        }

        ulong[] mask = new ulong[words];
        state.AddTo(mask);
        foreach (int node in after is null ? [] : state.Exits)
        {
            Walk(after!, node, 0, mask, null, most);
        }

        byWay[(state, after)] = mask;
        bytes += 100 + (8 * words);
        return mask;
    }

    private StateTokens TokensOf(int state, long most)
    {
        if (!byState.TryGetValue(state, out StateTokens? found))
        {
            GrammarState grammarState = automaton.States[state];
            byState[state] = found = grammarState.Twin >= 0 && grammarState.Slack >= LeastSlack
                ? ByTwin(state, TokensOf(grammarState.Twin, most), grammarState.Slack, most)
                : Alone(state, most);
            bytes += found.Bytes;
        }

        return found;
    }

    private StateTokens Alone(int state, long most)
    {
        ulong[] mask = new ulong[words];
        List<int> exits = [];
        Walk(machine.Alone(state), 0, 0, mask, exits, most);
        return StateTokens.Of(mask, [.. exits]);
    }

    // The tokens of another state that reads the same for so many bytes; longer ones by themselves.
    private StateTokens ByTwin(int state, StateTokens twin, int slack, long most)
    {
        TokenTrie trie = Vocabulary.Trie;
        ReadOnlySpan<int> longer = trie.LongerThan(slack);
        if (longer.Length == 0)
        {
            return twin;
        }

        ulong[] mask = new ulong[words];
        twin.AddTo(mask);
        foreach (int token in longer)
        {
            mask[token >> 6] &= ~(1UL << token);
        }

        List<int> exits = [];
        foreach (int node in twin.Exits)
        {
            if (trie.Depths[node] <= slack)
            {
                exits.Add(node);
            }
        }

        Walk(machine.Alone(state), 0, slack, mask, exits, most);
        return StateTokens.Of(mask, [.. exits]);
    }

    // Sets the bits of the tokens below a node that may follow and are longer than a number of bytes; the nodes at which a rule that is looked at by
    // itself may end join the exits.
    private void Walk(Configuration from, int root, int longerThan, ulong[] mask, List<int>? exits, long most)
    {
        TokenTrie trie = Vocabulary.Trie;
        ReadOnlySpan<byte> values = trie.Values, classOf = automaton.ClassOf;
        ReadOnlySpan<int> depths = trie.Depths, afters = trie.Afters, deepest = trie.MostDepths;
        path[depths[root]] = from;
        int node = root + 1, end = afters[root];
        while (node < end)
        {
            if (deepest[node] <= longerThan)
            {
                node = afters[node];
                continue;
            }

            int depth = depths[node];
            byte value = values[node];
            Configuration before = path[depth - 1];
            Configuration next = before.Known(classOf[value]) ?? NextWithin(before, value);
            if (next.IsDead)
            {
                node = afters[node];
                continue;
            }

            if (depth > longerThan)
            {
                foreach (int token in trie.TokensAt(node))
                {
                    mask[token >> 6] |= 1UL << token;
                }

                if (next.IsOut)
                {
                    exits?.Add(node);
                }
            }

            path[depth] = next;
            node = next.Tops.Length == 0 ? afters[node] : node + 1;
            Throw.Unless(machine.Work <= most, $"expected a grammar whose tokens are found in {MostWorkPerMask} steps, found one that takes more; make it less ambiguous");
        }
    }
}
