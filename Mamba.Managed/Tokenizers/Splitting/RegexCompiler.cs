namespace Mamba.Managed.Tokenizers.Splitting;

/// <summary>Makes instructions of an expression.</summary>
/// <remarks>
/// The fast program takes a run of one set in one instruction. In the other one each character is a choice of its own, so that every choice and
/// position can be remembered and none is tried twice.
/// </remarks>
internal sealed class RegexCompiler
{
    private const int MostInstructions = 20_000, MostLoops = 4;

    private readonly List<RegexInstruction> code = [];
    private readonly bool isFast;
    private int choices, loops, mostLoops;

    private RegexCompiler(bool isFast) => this.isFast = isFast;

    /// <summary>Compiles an expression.</summary>
    /// <exception cref="InvalidDataException">It is too long, or it looks back over texts of several lengths.</exception>
    public static RegexProgram Compile(RegexNode node, bool isFast)
    {
        RegexCompiler compiler = new(isFast);
        compiler.Add(node, RegexFollow.End);
        compiler.Emit(RegexOperation.Accept);
        RegexFollow whole = RegexFollow.End.After(node);
        return new([.. compiler.code], compiler.choices, compiler.mostLoops, whole.MayBeEmpty ? null : whole.First);
    }

    private int Emit(RegexOperation operation, int x = 0, int y = 0, int z = 0, CharacterSet? set = null, int[]? table = null)
    {
        Throw.Unless(code.Count < MostInstructions, $"regular expression: expected one of at most {MostInstructions} parts, with all repetitions, found more");
        code.Add(new(operation, x, y, z, set, table));
        return code.Count - 1;
    }

    private int EmitChoice() => Emit(RegexOperation.Choice, z: choices++);

    private void Point(int instruction, int? x = null, int? y = null) =>
        code[instruction] = code[instruction] with { X = x ?? code[instruction].X, Y = y ?? code[instruction].Y };

    private void Add(RegexNode node, RegexFollow follow)
    {
        switch (node)
        {
            case RegexNode.One { Set: var set }:
                _ = set.IsEmpty ? Emit(RegexOperation.Fail) : set.IsUnit(out char unit) ? Emit(RegexOperation.Unit, unit) : Emit(RegexOperation.One, set: set);
                break;
            case RegexNode.Sequence sequence:
                AddSequence(sequence, follow);
                break;
            case RegexNode.Alternatives alternatives:
                AddAlternatives(alternatives, follow);
                break;
            case RegexNode.Repeat repeat:
                AddRepeat(repeat, follow);
                break;
            case RegexNode.Atomic { Body: RegexNode.Repeat { Body: RegexNode.One { Set: var set }, IsLazy: false } run } when isFast:
                Emit(RegexOperation.WholeRun, run.Least, run.Most, set: set);
                break;
            case RegexNode.Atomic atomic:
                AddInner(RegexOperation.Atomic, atomic.Body, 0);
                break;
            case RegexNode.Look look:
                AddLook(look);
                break;
            case RegexNode.At at:
                Emit(RegexOperation.At, (int)at.Anchor);
                break;
        }
    }

    private void AddSequence(RegexNode.Sequence sequence, RegexFollow follow)
    {
        // What follows each part, from the last to the first.
        RegexFollow[] follows = new RegexFollow[sequence.Parts.Count];
        for (int i = follows.Length - 1; i >= 0; i--)
        {
            follows[i] = follow;
            follow = follow.After(sequence.Parts[i]);
        }

        for (int i = 0; i < follows.Length; i++)
        {
            Add(sequence.Parts[i], follows[i]);
        }
    }

    private void AddAlternatives(RegexNode.Alternatives alternatives, RegexFollow follow)
    {
        RegexFollow[] firsts = [.. alternatives.Choices.Select(follow.After)];
        int dispatch = Emit(RegexOperation.Dispatch, table: new int[RegexProgram.TableLength]);
        int[] starts = new int[firsts.Length];
        List<int> jumps = [];
        for (int i = 0; i < firsts.Length; i++)
        {
            starts[i] = code.Count;
            Add(alternatives.Choices[i], follow);
            jumps.Add(Emit(RegexOperation.Jump));
        }

        Dictionary<string, int> chains = new(StringComparer.Ordinal);
        for (int entry = 0; entry < RegexProgram.TableLength; entry++)
        {
            int[] possible = [.. Enumerable.Range(0, firsts.Length).Where(i => firsts[i].MayBegin(entry)).Select(i => starts[i])];
            string key = string.Join(',', possible);
            if (!chains.TryGetValue(key, out int chain))
            {
                chain = AddChain(possible);
                chains.Add(key, chain);
            }

            code[dispatch].Table![entry] = chain;
        }

        jumps.ForEach(jump => Point(jump, x: code.Count));
    }

    // Tries instructions in order.
    private int AddChain(int[] targets)
    {
        if (targets.Length < 2)
        {
            return targets.Length == 1 ? targets[0] : Emit(RegexOperation.Fail);
        }

        int first = code.Count;
        for (int i = 0; i < targets.Length - 1; i++)
        {
            int choice = EmitChoice();
            Point(choice, targets[i], i == targets.Length - 2 ? targets[^1] : choice + 1);
        }

        return first;
    }

    private void AddRepeat(RegexNode.Repeat repeat, RegexFollow follow)
    {
        if (isFast && !repeat.IsLazy && repeat.Body is RegexNode.One { Set: var set })
        {
            // Where what follows cannot begin with a character of the run, or matches anywhere, fewer characters never help.
            bool isWhole = follow.Always || (!follow.MayBeEmpty && follow.First.Intersect(set).IsEmpty);
            Emit(isWhole ? RegexOperation.WholeRun : RegexOperation.Run, repeat.Least, repeat.Most, set: set);
            return;
        }

        // In a loop more of the body may follow, and whether it matches is not known.
        RegexFollow body = RegexFollow.End.After(repeat.Body);
        RegexFollow inner = new(body.First.Union(follow.First), follow.MayBeEmpty, Always: false);
        for (int i = 0; i < repeat.Least; i++)
        {
            Add(repeat.Body, inner);
        }

        if (repeat.Most == RegexNode.NoLimit)
        {
            AddLoop(repeat, body.MayBeEmpty, inner);
            return;
        }

        List<int> exits = [];
        for (int i = repeat.Least; i < repeat.Most; i++)
        {
            int choice = EmitChoice();
            exits.Add(choice);
            PointInto(choice, repeat.IsLazy, code.Count);
            Add(repeat.Body, inner);
        }

        exits.ForEach(exit => PointPast(exit, repeat.IsLazy, code.Count));
    }

    private void AddLoop(RegexNode.Repeat repeat, bool mayBeEmpty, RegexFollow inner)
    {
        int choice = EmitChoice();
        PointInto(choice, repeat.IsLazy, code.Count);
        int end = -1;
        if (mayBeEmpty)
        {
            Throw.Unless(loops < MostLoops, $"regular expression: expected at most {MostLoops} loops within each other that may be empty, found more");
            Emit(RegexOperation.Turn, loops);
            mostLoops = Math.Max(mostLoops, ++loops);
            Add(repeat.Body, inner);
            end = Emit(RegexOperation.TurnEnd, --loops);
        }
        else
        {
            Add(repeat.Body, inner);
        }

        Emit(RegexOperation.Jump, choice);
        PointPast(choice, repeat.IsLazy, code.Count);
        if (end >= 0)
        {
            Point(end, y: code.Count);
        }
    }

    private void PointInto(int choice, bool isLazy, int body) => Point(choice, x: isLazy ? null : body, y: isLazy ? body : null);

    private void PointPast(int choice, bool isLazy, int exit) => Point(choice, x: isLazy ? exit : null, y: isLazy ? null : exit);

    private void AddLook(RegexNode.Look look)
    {
        RegexOperation operation = look.IsNegative ? RegexOperation.LookNot : RegexOperation.Look;
        if (!look.IsBehind)
        {
            AddInner(operation, look.Body, 0);
            return;
        }

        RegexNode[] choices = look.Body is RegexNode.Alternatives alternatives ? [.. alternatives.Choices] : [look.Body];
        if (choices.Length == 1 || look.IsNegative)
        {
            foreach (RegexNode choice in choices)
            {
                AddInner(operation, choice, LengthOf(choice));
            }

            return;
        }

        List<int> jumps = [];
        for (int i = 0; i < choices.Length; i++)
        {
            int split = i < choices.Length - 1 ? EmitChoice() : -1;
            if (split >= 0)
            {
                Point(split, x: code.Count);
            }

            AddInner(operation, choices[i], LengthOf(choices[i]));
            jumps.Add(Emit(RegexOperation.Jump));
            if (split >= 0)
            {
                Point(split, y: code.Count);
            }
        }

        jumps.ForEach(jump => Point(jump, x: code.Count));
    }

    private void AddInner(RegexOperation operation, RegexNode body, int back)
    {
        int instruction = Emit(operation, code.Count + 1, z: back);
        int outer = loops;
        Add(body, RegexFollow.End);
        loops = outer;
        Emit(RegexOperation.Accept);
        Point(instruction, y: code.Count);
    }

    // The one length in characters of all texts that a node matches.
    private static int LengthOf(RegexNode node)
    {
        int? length = FixedLength(node);
        Throw.Unless(length is not null, $"regular expression: expected to look back over texts of one length; others are not supported");
        return length.Value;
    }

    private static int? FixedLength(RegexNode node) => node switch
    {
        RegexNode.One => 1,
        RegexNode.Sequence sequence => sequence.Parts.Aggregate((int?)0, (sum, part) => sum + FixedLength(part)),
        RegexNode.Alternatives alternatives => alternatives.Choices.Select(FixedLength).Distinct().ToArray() is [int length] ? length : null,
        RegexNode.Repeat repeat => repeat.Least == repeat.Most && FixedLength(repeat.Body) is int body && (long)repeat.Least * body < MostInstructions ? repeat.Least * body : null,
        RegexNode.Atomic atomic => FixedLength(atomic.Body),
        _ => 0,
    };
}
