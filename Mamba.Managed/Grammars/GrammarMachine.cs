namespace Mamba.Managed.Grammars;

/// <summary>Reads bytes by a grammar: from one configuration to the next, each made once and remembered.</summary>
/// <remarks>
/// A pushdown automaton that follows all readings of a text at once. Calls of one rule at one point of the text become one frame, as in the tables of
/// Earley and Tomita, so that work and memory of a step are polynomial however ambiguous the grammar is; a bound stops those that are still too slow.
/// Rules that are called last need no frame of their own, so that lists written by right recursion do not grow a stack. One thread at a time.
/// </remarks>
internal sealed class GrammarMachine(GrammarAutomaton automaton)
{
    private const int MostWays = 512;
    private const int MostReturns = 4096;

    private readonly Dictionary<Key<ReturnPoint>, Frame> frames = [];
    private readonly Dictionary<Key<Top>, Configuration> configurations = [];
    private readonly HashSet<Top> reached = [];
    private readonly Stack<Top> waiting = new();
    private readonly SortedDictionary<int, PendingCall> calls = [];
    private readonly Dictionary<int, Configuration> alone = [];
    private readonly Configuration dead = new([], mayEnd: false, isOut: false, automaton.Classes, 0);
    private Frame? outside;
    private long lastId;
    private int generation;

    /// <summary>How much was done, in ways followed.</summary>
    public long Work { get; private set; }

    /// <summary>The memory that is kept, in bytes, about.</summary>
    public long Bytes { get; private set; }

    /// <summary>Lets go of all that was made; what others still hold remains of use, and is made again when it is asked.</summary>
    public void Forget()
    {
        frames.Clear();
        configurations.Clear();
        alone.Clear();
        Bytes = 0;
        generation++;
    }

    /// <summary>Before the first byte.</summary>
    public Configuration Start()
    {
        Begin(new(automaton.Root, FrameOf([], isEnd: true, isOut: false)));
        return Close();
    }

    /// <summary>A state by itself, whatever waits for the end of its rule and without the rules that it calls.</summary>
    public Configuration Alone(int state)
    {
        if (!alone.TryGetValue(state, out Configuration? configuration))
        {
            outside ??= FrameOf([], isEnd: false, isOut: true);
            alone[state] = configuration = new([new(state, outside)], mayEnd: false, isOut: false, automaton.Classes, generation);
            Count(configuration);
        }

        return configuration;
    }

    /// <summary>When the rule that a frame waits for has ended.</summary>
    public Configuration AfterReturn(Frame frame)
    {
        if (frame.AfterReturn?.Generation != generation)
        {
            bool mayEnd = false, isOut = false;
            Return(frame, ref mayEnd, ref isOut);
            frame.AfterReturn = Close(mayEnd, isOut);
        }

        return frame.AfterReturn;
    }

    /// <summary>After one byte more.</summary>
    /// <exception cref="InvalidDataException">There are too many ways to read the text.</exception>
    public Configuration Next(Configuration configuration, byte value)
    {
        int byteClass = automaton.ClassOf[value];
        if (configuration.Known(byteClass) is { } known)
        {
            return known;
        }

        if (configuration.Tops.Length == 0)
        {
            return dead;
        }

        if (configuration.Generation != generation)
        {
            // What is held since before all was forgotten would otherwise hold ever more.
            configuration = ConfigurationOf([.. configuration.Tops], configuration.MayEnd, configuration.IsOut);
            return Next(configuration, value);
        }

        foreach (Top top in configuration.Tops)
        {
            int after = automaton.States[top.State].After(value);
            if (after >= 0)
            {
                Begin(new(after, top.Frame));
            }
        }

        Work += configuration.Tops.Length;
        Configuration next = reached.Count == 0 ? dead : Close();
        configuration.Learn(byteClass, next);
        return next;
    }

    private void Begin(Top top)
    {
        if (reached.Add(top))
        {
            waiting.Push(top);
        }
    }

    private void Return(Frame frame, ref bool mayEnd, ref bool isOut)
    {
        mayEnd |= frame.IsEnd;
        isOut |= frame.IsOut;
        foreach (ReturnPoint point in frame.Returns)
        {
            Begin(new(point.State, point.Frame));
        }
    }

    // First all returns, which may lead to further ones, then the calls from every state that was reached, a rule when all its callers are known.
    private Configuration Close(bool mayEnd = false, bool isOut = false)
    {
        try
        {
            while (waiting.TryPop(out Top top))
            {
                Work++;
                GrammarState state = automaton.States[top.State];
                if (state.MayEnd)
                {
                    Return(top.Frame, ref mayEnd, ref isOut);
                }

                Limit(reached.Count);
                CallFrom(state, top.Frame);
            }

            List<Top> tops = [.. reached.Where(top => automaton.States[top.State].Bytes.Length > 0)];
            while (calls.Count > 0)
            {
                (int rule, PendingCall call) = calls.First();
                calls.Remove(rule);
                Frame frame = FrameOf([.. call.Returns], call.IsEnd, call.IsOut);
                GrammarState state = automaton.States[automaton.Starts[rule]];
                Work += frame.Returns.Length;
                if (state.Bytes.Length > 0)
                {
                    tops.Add(new(automaton.Starts[rule], frame));
                }

                Limit(tops.Count);
                CallFrom(state, frame);
            }

            return ConfigurationOf(tops, mayEnd, isOut);
        }
        finally
        {
            reached.Clear();
            waiting.Clear();
            calls.Clear();
        }
    }

    private void CallFrom(GrammarState state, Frame frame)
    {
        foreach (CallEdge edge in state.Calls)
        {
            if (!calls.TryGetValue(edge.Rule, out PendingCall? call))
            {
                calls[edge.Rule] = call = new();
            }

            GrammarState after = automaton.States[edge.Target];
            if (after.IsEnd)
            {
                call.Returns.UnionWith(frame.Returns);
                call.IsEnd |= frame.IsEnd;
                call.IsOut |= frame.IsOut;
            }
            else
            {
                call.Returns.Add(new(edge.Target, frame));
            }

            Throw.Unless(call.Returns.Count <= MostReturns, $"expected a grammar that reads a text in few ways, found more than {MostReturns} places that wait for one rule; make it less ambiguous");
        }
    }

    private static void Limit(int ways) =>
        Throw.Unless(ways <= MostWays, $"expected a grammar that reads a text in at most {MostWays} ways at once, found more; make it less ambiguous");

    private Frame FrameOf(ReturnPoint[] returns, bool isEnd, bool isOut)
    {
        Array.Sort(returns, static (x, y) => (x.State, x.Frame.Id).CompareTo((y.State, y.Frame.Id)));
        Key<ReturnPoint> key = new(returns, isEnd, isOut);
        if (!frames.TryGetValue(key, out Frame? frame))
        {
            frames[key] = frame = new(lastId++, returns, isEnd, isOut);
            Bytes += 200 + (16 * returns.Length);
        }

        return frame;
    }

    private Configuration ConfigurationOf(List<Top> tops, bool mayEnd, bool isOut)
    {
        Top[] sorted = [.. tops];
        Array.Sort(sorted, static (x, y) => (x.State, x.Frame.Id).CompareTo((y.State, y.Frame.Id)));
        Key<Top> key = new(sorted, mayEnd, isOut);
        if (!configurations.TryGetValue(key, out Configuration? configuration))
        {
            configurations[key] = configuration = new(sorted, mayEnd, isOut, automaton.Classes, generation);
            Count(configuration);
        }

        return configuration;
    }

    private void Count(Configuration configuration) => Bytes += 250 + (16 * configuration.Tops.Length) + (8 * automaton.Classes);

    private sealed class PendingCall
    {
        public HashSet<ReturnPoint> Returns { get; } = [];

        public bool IsEnd { get; set; }

        public bool IsOut { get; set; }
    }

    // What makes a frame or a configuration one of a kind.
    private readonly struct Key<T>(T[] items, bool isEnd, bool isOut) : IEquatable<Key<T>>
        where T : struct, IEquatable<T>
    {
        private readonly T[] items = items;
        private readonly (bool, bool) flags = (isEnd, isOut);

        public bool Equals(Key<T> other) => flags == other.flags && items.AsSpan().SequenceEqual(other.items);

        public override bool Equals(object? obj) => obj is Key<T> other && Equals(other);

        public override int GetHashCode()
        {
            HashCode hash = default;
            hash.Add(flags);
            foreach (T item in items)
            {
                hash.Add(item);
            }

            return hash.ToHashCode();
        }
    }
}
