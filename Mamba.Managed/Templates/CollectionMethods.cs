namespace Mamba.Managed.Templates;

/// <summary>Methods of mappings, lists and tuples. Those that change them are kept from templates, as the sandbox of chat templates does.</summary>
internal static class CollectionMethods
{
    /// <summary>Whether mappings have a method of a name.</summary>
    public static bool IsDictMethod(string name) => name is "items" or "keys" or "values" or "get" or "copy" or "fromkeys" || IsDictChange(name);

    /// <summary>Whether lists or tuples have a method of a name.</summary>
    public static bool IsSequenceMethod(PySequence sequence, string name) =>
        name is "index" or "count" || (sequence is PyList && (name == "copy" || IsListChange(name)));

    /// <summary>A method of a mapping; null where it is not supported.</summary>
    public static object? OfDict(PyDict dict, string name) => name switch
    {
        "items" => View(dict, name, DictPart.Items),
        "keys" => View(dict, name, DictPart.Keys),
        "values" => View(dict, name, DictPart.Values),
        "get" => new BuiltIn(name, (rendering, arguments) => Get(rendering, dict, arguments)),
        "copy" => new BuiltIn(name, (rendering, arguments) =>
        {
            _ = arguments.Bind(rendering, 0);
            rendering.Step(dict.Count);
            return dict.Copy();
        }),
        _ => IsDictChange(name) ? Kept("dict", name) : null,
    };

    /// <summary>A method of a list or a tuple; null where it is not supported.</summary>
    public static object? OfSequence(PySequence sequence, string name) => name switch
    {
        "index" => new BuiltIn(name, (rendering, arguments) => Index(rendering, sequence, arguments)),
        "count" => new BuiltIn(name, (rendering, arguments) =>
        {
            object? value = arguments.Bind(rendering, 1, "value")[0];
            return (long)sequence.Items.Count(item => Comparing.AreEqual(rendering, item, value));
        }),
        "copy" when sequence is PyList => new BuiltIn(name, (_, _) => sequence),
        _ => sequence is PyList && IsListChange(name) ? Kept("list", name) : null,
    };

    private static bool IsDictChange(string name) => name is "clear" or "pop" or "popitem" or "setdefault" or "update";

    private static bool IsListChange(string name) => name is "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort";

    private static Undefined Kept(string type, string name) => new($"'{name}' would change a {type}, which templates must not; make a new one, as with '+'");

    private static BuiltIn View(PyDict dict, string name, DictPart part) => new(name, (rendering, arguments) =>
    {
        _ = arguments.Bind(rendering, 0);
        return new DictView(dict, part);
    });

    private static object? Get(Rendering rendering, PyDict dict, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 1, "key", "default");
        return arguments.Keywords.Count > 0 ? throw rendering.Failed("get takes no keywords")
            : dict.TryGet(rendering, bound[0], out object? value) ? value : bound[1];
    }

    private static long Index(Rendering rendering, PySequence sequence, Arguments arguments)
    {
        Bound bound = arguments.Bind(rendering, 1, "value", "start", "stop");
        int count = sequence.Items.Length;
        long start = From(bound.Integer(1, 0)), stop = Math.Min(From(bound.Integer(2, count)), count);
        for (long at = start; at < stop; at++)
        {
            if (Comparing.AreEqual(rendering, sequence.Items[at], bound[0]))
            {
                return at;
            }
        }

        throw rendering.Failed("index: the value is not in the list");

        long From(long index) => index < 0 ? Math.Max(index + count, 0) : index;
    }
}
