namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>The program that takes runs at once and remembers nothing.</summary>
internal sealed partial class RegexMatcher
{
    private const int StepsPerCharacter = 32, FreeSteps = 1 << 12;

    private long fastSteps;

    // The steps after which the fast program gives up, by the number of characters that have been reached.
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
                    int least = instruction.X == 0 ? position : instruction.Set!.Count(text, position, instruction.X);
                    if (least < 0)
                    {
                        break;
                    }

                    int most = instruction.Set!.Run(text, least, instruction.Y - instruction.X);
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
                    int from = RegexPosition.Back(text, position, instruction.Z), outer = depth;
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
}
