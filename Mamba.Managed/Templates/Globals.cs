namespace Mamba.Managed.Templates;

/// <summary>The functions that every template has.</summary>
internal static class Globals
{
    private const int MostInRange = 100_000;

    private static readonly Dictionary<string, BuiltIn> Functions = new()
    {
        ["range"] = new("range", Range),
        ["dict"] = new("dict", Dict),
        ["namespace"] = new("namespace", MakeNamespace),
        ["raise_exception"] = new("raise_exception", (rendering, arguments) =>
            throw rendering.Raised(PythonText.Str(rendering, arguments.Bind(rendering, 1, "message")[0]))),
        ["strftime_now"] = new("strftime_now", (rendering, arguments) => TimeText.Of(rendering, arguments.Bind(rendering, 1, "format").Text(0))),
    };

    /// <summary>A function; null where there is none of the name.</summary>
    public static BuiltIn? Find(string name) => Functions.GetValueOrDefault(name);

    /// <summary>Whether the template language has a function of a name that is not supported.</summary>
    public static bool IsUnsupported(string name) => name is "cycler" or "joiner" or "lipsum";

    private static PyRange Range(Rendering rendering, Arguments arguments)
    {
        bool isOne = arguments.Positional.Length == 1;
        Bound bound = arguments.Keywords.Count > 0 ? throw rendering.Failed("range takes no keywords") : arguments.Bind(rendering, 1, isOne ? ["stop"] : ["start", "stop", "step"]);
        long start = isOne ? 0 : bound.Integer(0), stop = isOne ? bound.Integer(0) : bound.Integer(1), step = isOne ? 1 : bound.Integer(2, 1);
        if (step == 0)
        {
            throw rendering.Failed("range: the step is zero");
        }

        Int128 distance = (Int128)stop - start, by = step;
        Int128 count = by > 0 ? (distance + by - 1) / by : (distance + by + 1) / by;
        return count <= MostInRange
            ? new PyRange(start, stop, step, (int)Int128.Max(count, 0))
            : throw rendering.Failed(Throw.Invariant($"range: expected at most {MostInRange} integers, found {count}"));
    }

    private static PyDict Dict(Rendering rendering, Arguments arguments)
    {
        Bound bound = new Arguments(arguments.Positional, []).Named("dict").Bind(rendering, 0, "mapping");
        PyDict dict = new();
        if (bound[0] is PyDict from)
        {
            rendering.Step(from.Count);
            dict = from.Copy();
        }
        else if (bound.Has(0))
        {
            foreach (object? pair in Iteration.Of(rendering, bound[0]))
            {
                object?[] both = Iteration.ToArray(rendering, pair);
                dict.Set(rendering, both.Length == 2 ? both[0] : throw rendering.Failed("dict: expected pairs of a key and a value"), both[1]);
            }
        }

        foreach ((string name, object? value) in arguments.Keywords)
        {
            dict.Set(name, value);
        }

        return dict;
    }

    private static Namespace MakeNamespace(Rendering rendering, Arguments arguments)
    {
        Namespace made = new();
        foreach ((object? name, object? value) in Dict(rendering, arguments).Pairs)
        {
            made.Attributes[name as string ?? throw rendering.Unfit("namespace: expected texts as names", name)] = value;
        }

        return made;
    }
}
