namespace Mamba.Managed.Checkpoints;

/// <summary>A dictionary in a pickle: the entries whose keys are texts, and whether there are others.</summary>
internal sealed class PickledDictionary
{
    // Made with the first entry, as a pickle can hold a million empty dictionaries.
    private Dictionary<string, object?>? named;

    /// <summary>The entries under a text.</summary>
    public IReadOnlyDictionary<string, object?> Named => named ?? (IReadOnlyDictionary<string, object?>)System.Collections.Immutable.ImmutableDictionary<string, object?>.Empty;

    /// <summary>Whether entries stand under numbers or tuples; an optimizer's do.</summary>
    public bool HasOtherKeys { get; private set; }

    /// <summary>Whether every entry is a tensor under a name.</summary>
    public bool IsOfTensors => !HasOtherKeys && Named.Count > 0 && Named.Values.All(value => value is PickledTensor);

    /// <summary>Whether an entry is a tensor under a path, as the parameters of a model are.</summary>
    public bool HasParameters => Named.Any(entry => entry.Value is PickledTensor && entry.Key.Contains('.', StringComparison.Ordinal));

    /// <summary>Adds an entry; false if its key is a text that is there already.</summary>
    public bool TryAdd(object? key, object? value)
    {
        if (key is string name)
        {
            return (named ??= new(StringComparer.Ordinal)).TryAdd(name, value);
        }

        HasOtherKeys = true;
        return true;
    }
}

/// <summary>Finds the model's state_dict in what a PyTorch file holds: the file's value itself, or the one inside a training checkpoint.</summary>
/// <remarks>
/// <code>
/// {"backbone.embeddings.weight": tensor, ...}        {"model": {"backbone.embeddings.weight": tensor, ...}, "optimizer": {...}, "epoch": 3}
/// </code>
/// Inside a checkpoint it is the one dictionary whose entries are all tensors and some of whose names are paths.
/// </remarks>
internal static class StateDictionary
{
    private const int Deepest = 8;
    private const string Save = "save the model's alone with torch.save(model.state_dict(), path)";

    /// <summary>The dictionary of names and tensors.</summary>
    /// <exception cref="InvalidDataException">There is none, or there are several; the message says how to save one alone.</exception>
    public static PickledDictionary Find(object? content)
    {
        if (content is not PickledDictionary root)
        {
            throw new InvalidDataException($"expected a dictionary of tensors (a state_dict), found {(content is PickledTensor ? "one tensor" : "another value")}; {Save}");
        }

        if (root.IsOfTensors)
        {
            return root;
        }

        List<(string Path, PickledDictionary Dictionary)> parts = Parts(root);
        List<(string Path, PickledDictionary Dictionary)> states = parts.FindAll(part => part.Dictionary.IsOfTensors);
        return states.Count == 1 && !root.HasParameters ? states[0].Dictionary
            : states.Count > 1 ? throw new InvalidDataException($"expected one dictionary of tensors (a state_dict), found {Shortened.List(states.Select(state => state.Path))}; {Save}")
            : throw None(root, parts);
    }

    // Dictionaries within dictionaries that hold parameters, each once; one may hold itself.
    private static List<(string Path, PickledDictionary Dictionary)> Parts(PickledDictionary root)
    {
        List<(string Path, PickledDictionary Dictionary)> parts = [];
        HashSet<PickledDictionary> seen = [root];
        Queue<(string Path, PickledDictionary Dictionary, int Depth)> waiting = new([("", root, 0)]);
        while (waiting.TryDequeue(out var next))
        {
            if (next.Depth > 0 && next.Dictionary.HasParameters)
            {
                parts.Add((next.Path, next.Dictionary));
            }

            foreach ((string name, object? value) in next.Dictionary.Named)
            {
                if (value is PickledDictionary inner && next.Depth < Deepest && seen.Add(inner))
                {
                    waiting.Enqueue((Shortened.Text(next.Depth == 0 ? name : $"{next.Path}/{name}"), inner, next.Depth + 1));
                }
            }
        }

        return parts;
    }

    private static InvalidDataException None(PickledDictionary root, List<(string Path, PickledDictionary Dictionary)> parts)
    {
        (string path, PickledDictionary nearest) = root.HasParameters || parts.Count == 0 ? ("", root) : parts[0];
        if (!nearest.HasParameters)
        {
            return new($"expected a dictionary of tensors (a state_dict), found a dictionary of {(root.Named.Count > 0 ? Shortened.List(root.Named.Keys) : "no names")}; {Save}");
        }

        string? other = nearest.Named.FirstOrDefault(entry => entry.Value is not PickledTensor).Key;
        return new($"{(path.Length > 0 ? path + ": " : "")}{(other is null ? "a key that is no text" : Shortened.Text(other))}: expected a tensor, found another value; {Save}");
    }
}
