namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Runs a compiled expression on one text: the last choice is taken back where it leads to no match.</summary>
/// <remarks>
/// The fast program remembers nothing. Where it takes more than some steps a character, it gives up, and the other one, which remembers, goes on: the
/// number of steps of both is at most proportional to the length of the text.
/// </remarks>
internal sealed partial class RegexMatcher(RegexProgram fast, RegexProgram thorough)
{
    private const int NoMatch = -1, GaveUp = -2;
    private const int MostPending = 1 << 25;

    private Pending[] pending = new Pending[64];
    private int depth;

    /// <summary>The number of steps taken so far: an instruction, or a character of a run.</summary>
    public long Steps => fastSteps + thoroughSteps;

    /// <summary>Whether it holds little memory and is worth keeping for the next text.</summary>
    public bool IsSmall => pending.Length <= 1 << 12;

    /// <summary>Forgets the text before.</summary>
    public void Begin() => (depth, fastSteps, thoroughSteps, memo) = (0, 0, 0, null);

    /// <summary>The next match.</summary>
    /// <param name="text">The text; the same one until <see cref="Begin"/>.</param>
    /// <param name="start">Where to begin; where the match begins.</param>
    /// <returns>Where the match ends, or -1 where there is none.</returns>
    public int Next(ReadOnlySpan<char> text, ref int start)
    {
        CharacterSet? first = fast.First;
        for (; start <= text.Length; start += start + 1 < text.Length && char.IsSurrogatePair(text[start], text[start + 1]) ? 2 : 1)
        {
            if (first is not null && first.Match(text, start) == 0)
            {
                continue;
            }

            int end = MatchAt(text, start);
            if (end >= 0)
            {
                return end;
            }
        }

        return NoMatch;
    }

    private int MatchAt(ReadOnlySpan<char> text, int start)
    {
        if (fastSteps <= Allowed(start))
        {
            depth = 0;
            int end = RunFast(text, 0, start);
            if (end != GaveUp)
            {
                return end;
            }
        }

        depth = 0;
        memo ??= new();
        return RunThorough(text, 0, start);
    }

    // The instructions that both programs take alike.
    private static bool Simple(ReadOnlySpan<char> text, in RegexInstruction instruction, ref int at, ref int position, ref int turns)
    {
        switch (instruction.Operation)
        {
            case RegexOperation.Unit:
                if ((uint)position >= (uint)text.Length || text[position] != instruction.X)
                {
                    return false;
                }

                (position, turns) = (position + 1, -1);
                break;
            case RegexOperation.One:
                int length = instruction.Set!.Match(text, position);
                if (length == 0)
                {
                    return false;
                }

                (position, turns) = (position + length, -1);
                break;
            case RegexOperation.Jump:
                at = instruction.X;
                return true;
            case RegexOperation.Dispatch:
                at = instruction.Table![(uint)position >= (uint)text.Length ? RegexProgram.TableEnd : Math.Min((int)text[position], RegexProgram.TableOther)];
                return true;
            case RegexOperation.At:
                if (!RegexPosition.Holds((RegexAnchor)instruction.X, text, position))
                {
                    return false;
                }

                break;
            case RegexOperation.Turn:
                turns &= ~(1 << instruction.X);
                break;
            case RegexOperation.TurnEnd:
                at = (turns >> instruction.X & 1) == 0 ? instruction.Y : at + 1;
                return true;
            default:
                return false;
        }

        at++;
        return true;
    }

    private void Push(Pending choice)
    {
        if (depth == pending.Length)
        {
            Throw.Unless(depth < MostPending, $"regular expression: expected a text on which it leaves fewer than {MostPending} choices open; encode the text in parts");
            Array.Resize(ref pending, depth * 2);
        }

        pending[depth++] = choice;
    }

    // What is tried next: an instruction at a position, or, where the least position of a run is given, one character before and so on down to that;
    // a negative instruction stands for the choice whose ways have then all failed.
    private record struct Pending(int At, int Position, int Turns, int Least);
}
