namespace Mamba.Managed.Templates;

/// <summary>Sorting by keys of any kind; what has equal keys keeps its order.</summary>
internal static class Sorting
{
    /// <summary>Items in the order of their keys.</summary>
    /// <exception cref="ChatTemplateException">Two keys have no order.</exception>
    public static T[] By<T>(Rendering rendering, T[] items, Func<T, object?> key, bool reverse)
    {
        (object? Key, T Item)[] pairs = Array.ConvertAll(items, item => (key(item), item));
        Merge(rendering, pairs, new (object?, T)[pairs.Length], 0, pairs.Length, reverse);
        return Array.ConvertAll(pairs, pair => pair.Item);
    }

    // The framework's sort is not stable, and wraps the errors of what compares.
    private static void Merge<T>(Rendering rendering, (object? Key, T)[] items, (object? Key, T)[] room, int start, int end, bool reverse)
    {
        if (end - start < 2)
        {
            return;
        }

        int middle = (start + end) / 2;
        Merge(rendering, items, room, start, middle, reverse);
        Merge(rendering, items, room, middle, end, reverse);
        for (int at = start, left = start, right = middle; at < end; at++)
        {
            bool takesRight = left == middle || (right < end && (reverse
                ? Comparing.Order(rendering, items[left].Key, items[right].Key) < 0
                : Comparing.Order(rendering, items[right].Key, items[left].Key) < 0));
            room[at] = takesRight ? items[right++] : items[left++];
        }

        Array.Copy(room, start, items, start, end - start);
    }
}
