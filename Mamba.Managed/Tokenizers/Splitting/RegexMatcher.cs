namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Runs a compiled expression on one text: the last choice is taken back where it leads to no match.</summary>
/// <remarks>
/// The fast program remembers nothing. Where it takes more than some steps a character, it gives up, and the other one, which remembers, goes on: the
/// number of steps of both is at most proportional to the length of the text.
/// </remarks>
internal sealed class RegexMatcher(RegexProgram fast, RegexProgram thorough)
{
    private const int NoMatch = -1, GaveUp = -2;
    private const int StepsPerCharacter = 64, FreeSteps = 1 << 12;
    private const int MostPending = 1 << 25;

    private Pending[] pending = new Pending[64];
    private int depth;
    private long fastSteps, thoroughSteps;
    private RegexMemo? memo;

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

    private static long Allowed(int reached) => ((long)reached * StepsPerCharacter) + FreeSteps;

    private int RunFast(ReadOnlySpan<char> text, int at, int position)
    {
        RegexInstruction[] code = fast.Code;
        int bottom = depth, turns = 0, reached = position;
        long steps = fastSteps;
        for (; ;)
        {
            steps++;
            ref readonly RegexInstruction instruction = ref code[at];
            switch (instruction.Operation)
            {
                case RegexOperation.Dispatch:
                    at = instruction.Table![(uint)position >= (uint)text.Length ? RegexProgram.TableEnd : Math.Min((int)text[position], RegexProgram.TableOther)];
                    continue;
                case RegexOperation.WholeRun or RegexOperation.Run:
                    int least = instruction.X == 0 ? position : EndOfRun(text, position, instruction.Set!, instruction.X);
                    if (least < 0)
                    {
                        break;
                    }

                    int most = Scan(text, least, instruction.Set!, instruction.Y - instruction.X);
                    steps += most - position;
                    turns = most > position ? -1 : turns;
                    if (most > least && instruction.Operation == RegexOperation.Run)
                    {
                        Push(new(at + 1, most, turns, least));
                    }

                    position = most;
                    at++;
                    continue;
                case RegexOperation.Unit:
                    if ((uint)position >= (uint)text.Length || text[position] != instruction.X)
                    {
                        break;
                    }

                    position++;
                    turns = -1;
                    at++;
                    continue;
                case RegexOperation.Jump:
                    at = instruction.X;
                    continue;
                case RegexOperation.Choice:
                    Push(new(instruction.Y, position, turns, -1));
                    at = instruction.X;
                    continue;
                case RegexOperation.Look or RegexOperation.LookNot or RegexOperation.Atomic:
                    fastSteps = steps;
                    int from = Back(text, position, instruction.Z), outer = depth;
                    int end = from < 0 ? NoMatch : RunFast(text, instruction.X, from);
                    steps = fastSteps;
                    depth = outer;
                    if (end == GaveUp)
                    {
                        return GaveUp;
                    }

                    if (end < 0 != (instruction.Operation == RegexOperation.LookNot))
                    {
                        break;
                    }

                    at = instruction.Y;
                    if (instruction.Operation == RegexOperation.Atomic)
                    {
                        turns = end > position ? -1 : turns;
                        position = end;
                    }

                    continue;
                case RegexOperation.Accept:
                    fastSteps = steps;
                    return position;
                default:
                    // Copies, so that the loop's own variables stay in registers.
                    (int nextAt, int nextPosition, int nextTurns) = (at, position, turns);
                    if (Simple(text, in instruction, ref nextAt, ref nextPosition, ref nextTurns))
                    {
                        (at, position, turns) = (nextAt, nextPosition, nextTurns);
                        continue;
                    }

                    break;
            }

            reached = Math.Max(reached, position);
            if (depth == bottom || steps > Allowed(reached))
            {
                fastSteps = steps;
                return depth == bottom ? NoMatch : GaveUp;
            }

            ref Pending last = ref pending[depth - 1];
            (at, turns) = (last.At, last.Turns);
            if (last.Least < 0)
            {
                position = last.Position;
                depth--;
            }
            else
            {
                position = last.Position -= last.Position - 2 >= last.Least && char.IsLowSurrogate(text[last.Position - 1]) ? 2 : 1;
                depth -= position == last.Least ? 1 : 0;
            }
        }
    }

    private int RunThorough(ReadOnlySpan<char> text, int at, int position)
    {
        RegexInstruction[] code = thorough.Code;
        int bottom = depth, turns = 0, kinds = 1 << thorough.Loops;
        bool isInner = at != 0;
        for (; ;)
        {
            thoroughSteps++;
            ref readonly RegexInstruction instruction = ref code[at];
            switch (instruction.Operation)
            {
                case RegexOperation.Choice:
                    int choice = (instruction.Z * kinds) + (turns & (kinds - 1));
                    if (memo!.HasFailed(choice, position))
                    {
                        break;
                    }

                    if (isInner && memo.EndOf(choice, position) is int known and >= 0)
                    {
                        RememberEnds(bottom, known);
                        return known;
                    }

                    Push(new(~choice, position, turns, -1));
                    Push(new(instruction.Y, position, turns, -1));
                    at = instruction.X;
                    continue;
                case RegexOperation.Look or RegexOperation.LookNot or RegexOperation.Atomic:
                    int from = Back(text, position, instruction.Z), outer = depth;
                    int end = from < 0 ? NoMatch : RunThorough(text, instruction.X, from);
                    depth = outer;
                    if (end < 0 != (instruction.Operation == RegexOperation.LookNot))
                    {
                        break;
                    }

                    at = instruction.Y;
                    if (instruction.Operation == RegexOperation.Atomic)
                    {
                        turns = end > position ? -1 : turns;
                        position = end;
                    }

                    continue;
                case RegexOperation.Accept:
                    if (isInner)
                    {
                        RememberEnds(bottom, position);
                    }

                    return position;
                default:
                    if (Simple(text, in instruction, ref at, ref position, ref turns))
                    {
                        continue;
                    }

                    break;
            }

            // What is taken back to the choice itself has failed on all its ways.
            while (depth > bottom && pending[depth - 1].At < 0)
            {
                depth--;
                memo!.Fail(~pending[depth].At, pending[depth].Position);
            }

            if (depth == bottom)
            {
                return NoMatch;
            }

            depth--;
            (at, position, turns) = (pending[depth].At, pending[depth].Position, pending[depth].Turns);
        }
    }

    // The choices that led to the end of a group or condition lead there again.
    private void RememberEnds(int bottom, int end)
    {
        for (int i = bottom; i < depth; i++)
        {
            if (pending[i].At < 0)
            {
                memo!.End(~pending[i].At, pending[i].Position, end);
            }
        }
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

    // The end of a run of at most so many characters of a set.
    private static int Scan(ReadOnlySpan<char> text, int at, CharacterSet set, int most)
    {
        ulong[] bits = set.Bits;
        for (int left = most; left > 0 && (uint)at < (uint)text.Length; left--)
        {
            char unit = text[at];
            if ((bits[unit >> 6] >> (unit & 63) & 1) != 0)
            {
                at++;
            }
            else if (char.IsHighSurrogate(unit) && set.Match(text, at) == 2)
            {
                at += 2;
            }
            else
            {
                break;
            }
        }

        return at;
    }

    // The end of exactly so many characters of a set; -1 where there are fewer.
    private static int EndOfRun(ReadOnlySpan<char> text, int at, CharacterSet set, int count)
    {
        for (int length; count > 0; count--, at += length)
        {
            length = set.Match(text, at);
            if (length == 0)
            {
                return NoMatch;
            }
        }

        return at;
    }

    // The position some characters before; -1 where there are not so many.
    private static int Back(ReadOnlySpan<char> text, int position, int characters)
    {
        for (; characters > 0 && position > 0; characters--)
        {
            position -= position > 1 && char.IsSurrogatePair(text[position - 2], text[position - 1]) ? 2 : 1;
        }

        return characters > 0 ? -1 : position;
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
