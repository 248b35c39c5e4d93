namespace Mamba.Managed.Templates;

/// <summary>What <c>map(attribute='a.b')</c>, <c>sort(attribute='a')</c> and their like look up in each item.</summary>
internal sealed class AttributePath
{
    private readonly object?[] keys;
    private readonly object? fallback;

    private AttributePath(object?[] keys, object? fallback) => (this.keys, this.fallback) = (keys, fallback);

    /// <summary>The path of an attribute, whose parts are names or indices with points between them; that of None is the item itself.</summary>
    public static AttributePath Of(Rendering rendering, object? attribute, object? fallback = null)
    {
        rendering.StepText((attribute as string)?.Length ?? 0);
        object?[] keys = attribute switch
        {
            null => [],
            string text => Array.ConvertAll(text.Split('.'), Key),
            _ => [attribute],
        };
        return new AttributePath(keys, fallback);
    }

    /// <summary>The value in an item.</summary>
    public object? Find(Rendering rendering, object? item)
    {
        foreach (object? key in keys)
        {
            rendering.Step();
            item = Members.Item(rendering, item, key);
            item = item is Undefined && fallback is not null ? fallback : item;
        }

        return item;
    }

    private static object Key(string part) => part.Length > 0 && part.All(char.IsAsciiDigit) && long.TryParse(part, out long index) ? index : part;
}
