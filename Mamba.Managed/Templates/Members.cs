namespace Mamba.Managed.Templates;

/// <summary>Attributes and items of values.</summary>
internal static class Members
{
    /// <summary><c>value.name</c>: a method or an attribute, otherwise the item of that name, otherwise undefined.</summary>
    public static object? Attribute(Rendering rendering, object? value, string name)
    {
        RequireDefined(rendering, value);
        return OfType(rendering, value, name, out object? member) ? member
            : value is PyDict dict && dict.TryGet(name, out object? item) ? item
            : Undefined.OfMember(value, name);
    }

    /// <summary><c>value[key]</c>: an item, otherwise the method or attribute of that name, otherwise undefined.</summary>
    public static object? Item(Rendering rendering, object? value, object? key)
    {
        RequireDefined(rendering, value);
        if (value is PyDict dict && key is not (PyList or PyDict) && dict.TryGet(rendering, key, out object? found))
        {
            return found;
        }

        if (value is string or PySequence or PyRange && Numbers.IsInteger(key))
        {
            return Slicing.TryItem(rendering, value, Numbers.ToLong(key!), out object? item) ? item : Undefined.OfMember(value, Throw.Invariant($"{key}"));
        }

        return key is string name
            ? OfType(rendering, value, name, out object? member) ? member : Undefined.OfMember(value, name)
            : Undefined.OfMember(value, key is long ? Throw.Invariant($"{key}") : PythonText.TypeName(key));
    }

    private static void RequireDefined(Rendering rendering, object? value)
    {
        if (value is Undefined undefined)
        {
            throw rendering.Failed(undefined.Problem);
        }
    }

    // What Python's type has under a name; a name that is known and not supported is refused rather than passed over.
    private static bool OfType(Rendering rendering, object? value, string name, out object? member)
    {
        (member, bool found) = value switch
        {
            string text => (TextMethods.Find(text, name), TextMethods.IsMethod(name)),
            PyDict dict => (CollectionMethods.OfDict(dict, name), CollectionMethods.IsDictMethod(name)),
            PySequence sequence => (CollectionMethods.OfSequence(sequence, name), CollectionMethods.IsSequenceMethod(sequence, name)),
            Namespace names => (names.Attributes.GetValueOrDefault(name), names.Attributes.ContainsKey(name)),
            LoopState loop => (loop.Attribute(name), true),
            Macro macro => (macro.Name, name == "name"),
            _ => (null, false),
        };
        bool isForeign = member is null && (value is string or PyDict or PySequence ? found : IsOfNumber(value, name));
        return isForeign ? throw rendering.Failed($"'{name}' of a value of the type {PythonText.TypeName(value)} is not supported") : found;
    }

    private static bool IsOfNumber(object? value, string name) => Numbers.Is(value)
        && name is "real" or "imag" or "numerator" or "denominator" or "conjugate" or "bit_length" or "bit_count" or "to_bytes" or "from_bytes" or "as_integer_ratio" or "is_integer"
            or "hex" or "fromhex";
}
