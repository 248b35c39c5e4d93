namespace Mamba.Managed.Grammars;

/// <summary>The rules of a grammar while it is written.</summary>
internal sealed class GrammarRules
{
    private const int MostRules = 1 << 14;
    private const int MostStates = 1 << 18;

    // Small enough that a copy at each call costs little; a rule for one character is smaller.
    private const int MostInlined = 128;
    private const int InliningPasses = 8;

    private readonly List<string> names = [];
    private readonly List<Expression?> bodies = [];
    private readonly List<bool> inlined = [];
    private int states;

    /// <summary>The number of rules.</summary>
    public int Count => names.Count;

    /// <summary>A new rule, whose body follows.</summary>
    /// <exception cref="InvalidDataException">There are too many.</exception>
    public int Add(string name)
    {
        Throw.Unless(names.Count < MostRules, $"expected a grammar of at most {MostRules} rules, found more; make it smaller");
        names.Add(name);
        bodies.Add(null);
        inlined.Add(false);
        return names.Count - 1;
    }

    /// <summary>A new rule.</summary>
    public int Add(string name, Expression body)
    {
        int rule = Add(name);
        bodies[rule] = body;
        return rule;
    }

    /// <summary>Gives a rule its body.</summary>
    public void Set(int rule, Expression body) => bodies[rule] = body;

    /// <summary>A rule's name, for messages.</summary>
    public string NameOf(int rule) => Shortened.Text(names[rule]);

    /// <summary>A rule's body.</summary>
    public Expression BodyOf(int rule) => bodies[rule]!;

    /// <summary>The body of a rule that is written in place of its calls; null for others.</summary>
    public Expression? Inlined(int rule) => inlined[rule] ? bodies[rule] : null;

    /// <summary>Counts a state.</summary>
    /// <exception cref="InvalidDataException">There are too many.</exception>
    public void CountState() =>
        Throw.Unless(++states <= MostStates, $"expected a grammar of at most {MostStates} states, found more; make it, or the numbers of its repetitions, smaller");

    /// <summary>
    /// Chooses the small rules without loops that are written in place of their calls. What is left as a rule is a unit whose tokens are found once
    /// for all its calls: a string is, a character of one should not be.
    /// </summary>
    public void ChooseInlined()
    {
        int[] sizes = new int[Count];
        Array.Fill(sizes, int.MaxValue);
        for (int pass = 0; pass < InliningPasses; pass++)
        {
            for (int rule = 0; rule < Count; rule++)
            {
                sizes[rule] = sizes[rule] == int.MaxValue ? bodies[rule]!.Measure(other => sizes[other]) : sizes[rule];
                sizes[rule] = sizes[rule] <= MostInlined ? sizes[rule] : int.MaxValue;
            }
        }

        for (int rule = 0; rule < Count; rule++)
        {
            inlined[rule] = sizes[rule] != int.MaxValue;
        }
    }
}
