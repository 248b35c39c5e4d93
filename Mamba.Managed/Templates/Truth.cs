using System.Numerics;

namespace Mamba.Managed.Templates;

/// <summary>Which values count as true.</summary>
internal static class Truth
{
    /// <summary>Whether a value does: zero, what is empty, None and what is undefined do not.</summary>
    public static bool Of(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        BigInteger number => !number.IsZero,
        string text => text.Length > 0,
        PySequence sequence => sequence.Items.Length > 0,
        PyDict dict => dict.Count > 0,
        PyRange range => range.Count > 0,
        DictView view => view.Count > 0,
        _ => true,
    };
}
