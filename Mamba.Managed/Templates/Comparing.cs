namespace Mamba.Managed.Templates;

/// <summary>Comparisons.</summary>
internal static class Comparing
{
    /// <summary>Whether a comparison holds.</summary>
    public static bool Holds(Rendering rendering, string symbol, object? left, object? right) => symbol switch
    {
        "==" => AreEqual(rendering, left, right),
        "!=" => !AreEqual(rendering, left, right),
        "in" => Contains(rendering, right, left),
        "not in" => !Contains(rendering, right, left),
        "<" => Order(rendering, left, right) < 0,
        "<=" => Order(rendering, left, right) <= 0,
        ">" => Order(rendering, left, right) > 0,
        _ => Order(rendering, left, right) >= 0,
    };

    /// <summary>Whether two values are equal.</summary>
    public static bool AreEqual(Rendering rendering, object? left, object? right)
    {
        rendering.Step();
        switch (left, right)
        {
            case (string a, string b):
                rendering.StepText(Math.Min(a.Length, b.Length));
                return string.Equals(a, b);
            case (PyList a, PyList b):
                return AreEqual(rendering, a.Items, b.Items);
            case (PyTuple a, PyTuple b):
                return AreEqual(rendering, a.Items, b.Items);
            case (PyDict a, PyDict b):
                return AreEqual(rendering, a, b);
            case (PyRange a, PyRange b):
                return a.Count == b.Count && (a.Count == 0 || (a.Start == b.Start && (a.Count == 1 || a.Step == b.Step)));
            case (DictView { Part: not DictPart.Values } a, DictView { Part: not DictPart.Values } b):
                return a.Count == b.Count && a.Entries.All(entry => Contains(rendering, b, entry));
            case (Undefined, Undefined):
                return true;
            default:
                return ReferenceEquals(left, right) || (Numbers.Is(left) && Numbers.Is(right) && Numbers.Compare(left!, right!) == 0);
        }
    }

    /// <summary>Which of two values comes first: negative for the left one; null for NaN.</summary>
    public static int? Order(Rendering rendering, object? left, object? right)
    {
        rendering.Step();
        if (left is string a && right is string b)
        {
            rendering.StepText(Math.Min(a.Length, b.Length));
            return CodePoints.Compare(a, b);
        }

        if (Numbers.Is(left) && Numbers.Is(right))
        {
            return Numbers.Compare(left!, right!);
        }

        if ((left is PyList && right is PyList) || (left is PyTuple && right is PyTuple))
        {
            return Order(rendering, ((PySequence)left).Items, ((PySequence)right).Items);
        }

        throw left is Undefined || right is Undefined
            ? rendering.Unfit("", left is Undefined ? left : right)
            : rendering.Failed($"values of the types {PythonText.TypeName(left)} and {PythonText.TypeName(right)} have no order");
    }

    /// <summary>Whether a value is in another: an item of a sequence, a key of a mapping, a part of a text.</summary>
    public static bool Contains(Rendering rendering, object? container, object? value)
    {
        switch (container)
        {
            case string text:
                string part = value as string ?? throw rendering.Unfit("'in' a text: expected a text before it", value);
                rendering.StepSearch(text, part);
                return text.Contains(part, StringComparison.Ordinal);
            case PyDict dict:
                return dict.TryGet(rendering, value, out _);
            default:
                return Iteration.Of(rendering, container).Any(item => ReferenceEquals(item, value) || AreEqual(rendering, item, value));
        }
    }

    private static bool AreEqual(Rendering rendering, object?[] left, object?[] right)
    {
        if (left.Length != right.Length)
        {
            return false;
        }

        rendering.Descend();
        bool equal = left.Zip(right).All(pair => AreEqual(rendering, pair.First, pair.Second));
        rendering.Leave();
        return equal;
    }

    private static bool AreEqual(Rendering rendering, PyDict left, PyDict right)
    {
        if (left.Count != right.Count)
        {
            return false;
        }

        rendering.Descend();
        bool equal = left.Pairs.All(pair => right.TryGet(rendering, pair.Key, out object? other) && AreEqual(rendering, pair.Value, other));
        rendering.Leave();
        return equal;
    }

    private static int? Order(Rendering rendering, object?[] left, object?[] right)
    {
        rendering.Descend();
        int? order = left.Length.CompareTo(right.Length);
        for (int index = 0; index < Math.Min(left.Length, right.Length); index++)
        {
            if (!AreEqual(rendering, left[index], right[index]))
            {
                order = Order(rendering, left[index], right[index]);
                break;
            }
        }

        rendering.Leave();
        return order;
    }
}
