namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>The program that tries no choice twice at one position.</summary>
internal sealed partial class RegexMatcher
{
    // Expressions of tokenizers take a few dozen steps a character; one with thousands of repetitions would run for hours on a long text.
    private const int MostPerCharacter = 256, MostFree = 1 << 24;

    private long thoroughSteps;
    private RegexMemo? memo;

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
                    int from = RegexPosition.Back(text, position, instruction.Z), outer = depth;
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

            bool isShort = thoroughSteps <= ((long)text.Length * MostPerCharacter) + MostFree;
            Throw.Unless(isShort, $"regular expression: expected one that takes at most {MostPerCharacter} steps a character on a long text, found one that takes more; it is too slow for this text");

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
}
