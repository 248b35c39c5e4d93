namespace Mamba.Managed.Grammars;

/// <summary>Where reading goes on when a rule has ended.</summary>
internal readonly record struct ReturnPoint(int State, Frame Frame);

/// <summary>
/// What waits for a rule to end: every place that called it at the same point of the text. Frames are the stacks of a pushdown automaton, shared where
/// they are alike, so that a text that can be read in many ways needs few of them.
/// </summary>
internal sealed class Frame
{
    /// <summary>A frame; only <see cref="GrammarMachine"/> makes them, one of a kind.</summary>
    public Frame(long id, ReturnPoint[] returns, bool isEnd, bool isOut) => (Id, Returns, IsEnd, IsOut) = (id, returns, isEnd, isOut);

    /// <summary>By which frames are ordered.</summary>
    public long Id { get; }

    /// <summary>Where to go on.</summary>
    public ReturnPoint[] Returns { get; }

    /// <summary>Whether the text may end with the rule.</summary>
    public bool IsEnd { get; }

    /// <summary>Whether it is not known what waits: a rule is looked at by itself.</summary>
    public bool IsOut { get; }

    /// <summary>The configuration when the rule has ended; made when it is needed.</summary>
    public Configuration? AfterReturn { get; set; }
}

/// <summary>A state in which a byte is read, and what waits for the end of its rule.</summary>
internal readonly record struct Top(int State, Frame Frame);

/// <summary>All the ways in which the text so far can be read: what a grammar knows of it.</summary>
internal sealed class Configuration
{
    private readonly Configuration?[] next;

    /// <summary>A configuration; only <see cref="GrammarMachine"/> makes them, one of a kind.</summary>
    public Configuration(Top[] tops, bool mayEnd, bool isOut, int classes, int generation)
    {
        (Tops, MayEnd, IsOut, Generation) = (tops, mayEnd, isOut, generation);
        next = tops.Length == 0 ? [] : new Configuration?[classes];
    }

    /// <summary>The ways; empty where no byte may follow.</summary>
    public Top[] Tops { get; }

    /// <summary>Whether the text may end here.</summary>
    public bool MayEnd { get; }

    /// <summary>Whether a rule that is looked at by itself may end here.</summary>
    public bool IsOut { get; }

    /// <summary>How often its machine had forgotten all when it was made.</summary>
    public int Generation { get; }

    /// <summary>Whether the bytes so far begin no text of the grammar.</summary>
    public bool IsDead => Tops.Length == 0 && !MayEnd && !IsOut;

    /// <summary>The tokens that may follow; made when they are needed.</summary>
    public ulong[]? Mask { get; set; }

    /// <summary>What follows a byte of a class, where it is known.</summary>
    public Configuration? Known(int byteClass) => next.Length == 0 ? null : Volatile.Read(ref next[byteClass]);

    /// <summary>Remembers what follows.</summary>
    public void Learn(int byteClass, Configuration configuration) => Volatile.Write(ref next[byteClass], configuration);
}
