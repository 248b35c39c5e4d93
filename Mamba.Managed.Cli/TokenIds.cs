using System.Globalization;

namespace Mamba.Managed.Cli;

/// <summary>Parses token ids separated by spaces or commas.</summary>
internal static class TokenIds
{
    private static readonly char[] Separators = [' ', ',', '\t', '\r', '\n', '[', ']'];

    /// <exception cref="ArgumentException">A part is not an id, or there are no ids.</exception>
    public static int[] Parse(string text)
    {
        int[] ids = [.. text.Split(Separators, StringSplitOptions.RemoveEmptyEntries).Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new ArgumentException($"expected token ids with spaces between, found '{part}'"))];
        return ids.Length > 0 ? ids : throw new ArgumentException("expected at least one token id, found none");
    }
}
