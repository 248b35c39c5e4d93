namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>What an instruction does; where nothing else is said, the next one follows, and where it does not hold, the last choice is taken back.</summary>
internal enum RegexOperation
{
    /// <summary>The UTF-16 unit <c>X</c>.</summary>
    Unit,

    /// <summary>One character of the set.</summary>
    One,

    /// <summary><c>X</c> to <c>Y</c> characters of the set, as many as possible; fewer where what follows does not match.</summary>
    Run,

    /// <summary><c>X</c> to <c>Y</c> characters of the set, as many as possible and no fewer.</summary>
    WholeRun,

    /// <summary>Instruction <c>X</c>; where it leads to no match, <c>Y</c>. <c>Z</c> numbers the choice.</summary>
    Choice,

    /// <summary>Instruction <c>X</c>.</summary>
    Jump,

    /// <summary>The instruction that the table has for the next character.</summary>
    Dispatch,

    /// <summary>The condition <c>X</c> on the position.</summary>
    At,

    /// <summary>Whether the instructions from <c>X</c> match here, after going back <c>Z</c> characters; goes on at <c>Y</c>.</summary>
    Look,

    /// <summary>Whether the instructions from <c>X</c> do not match here, after going back <c>Z</c> characters; goes on at <c>Y</c>.</summary>
    LookNot,

    /// <summary>The first match of the instructions from <c>X</c>; goes on at <c>Y</c>.</summary>
    Atomic,

    /// <summary>Begins a turn of the loop <c>X</c>, whose body may be empty.</summary>
    Turn,

    /// <summary>Ends a turn of the loop <c>X</c>; goes on at <c>Y</c>, after the loop, where the turn has consumed nothing.</summary>
    TurnEnd,

    /// <summary>A match.</summary>
    Accept,

    /// <summary>No match.</summary>
    Fail,
}

/// <summary>An instruction of a compiled expression.</summary>
internal record struct RegexInstruction(RegexOperation Operation, int X = 0, int Y = 0, int Z = 0, CharacterSet? Set = null, int[]? Table = null);

/// <summary>A compiled expression.</summary>
/// <param name="Code">The instructions; the first begins a match.</param>
/// <param name="Choices">The number of choices.</param>
/// <param name="Loops">The number of loops within each other whose bodies may be empty.</param>
/// <param name="First">What a match may begin with; null where it may be empty.</param>
internal sealed record RegexProgram(RegexInstruction[] Code, int Choices, int Loops, CharacterSet? First)
{
    /// <summary>The entries of a dispatch table: ASCII, all other characters, the end of the text.</summary>
    public const int TableLength = 130, TableOther = 128, TableEnd = 129;
}
