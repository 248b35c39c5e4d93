using System.Globalization;
using System.Text;

namespace Mamba.Managed.Templates;

/// <summary>What characters a text consists of.</summary>
internal static class TextKinds
{
    /// <summary>Whether a text is not empty and each of its characters passes.</summary>
    public static bool All(string text, Func<Rune, bool> passes)
    {
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (!passes(rune))
            {
                return false;
            }
        }

        return text.Length > 0;
    }

    /// <summary>Whether a character is a letter.</summary>
    public static bool IsLetter(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter
        or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    /// <summary>Whether a character is a digit of base ten.</summary>
    public static bool IsDecimal(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    /// <summary>Whether a character is a digit, raised and circled ones included.</summary>
    public static bool IsDigit(Rune rune) => IsDecimal(rune) || (rune.Utf16SequenceLength == 1 && CharUnicodeInfo.GetDigitValue((char)rune.Value) >= 0);

    /// <summary>Whether a character has the value of a number.</summary>
    public static bool IsNumeric(Rune rune) => IsDigit(rune) || Rune.GetNumericValue(rune) >= 0;

    /// <summary>Whether a character is a letter or has the value of a number.</summary>
    public static bool IsLetterOrNumber(Rune rune) => IsLetter(rune) || IsNumeric(rune);

    /// <summary>Whether letters with case are capitals, and there is one.</summary>
    public static bool IsUpper(string text) => text.EnumerateRunes().Any(Rune.IsUpper) && !text.EnumerateRunes().Any(rune => Rune.IsLower(rune) || IsTitleLetter(rune));

    /// <summary>Whether letters with case are small, and there is one.</summary>
    public static bool IsLower(string text) => text.EnumerateRunes().Any(Rune.IsLower) && !text.EnumerateRunes().Any(rune => Rune.IsUpper(rune) || IsTitleLetter(rune));

    /// <summary>Whether each word begins with a capital and goes on with small letters.</summary>
    public static bool IsTitle(string text)
    {
        bool isInWord = false, any = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isCapital = Rune.IsUpper(rune) || IsTitleLetter(rune), isSmall = Rune.IsLower(rune);
            if ((isCapital && isInWord) || (isSmall && !isInWord))
            {
                return false;
            }

            isInWord = isCapital || isSmall;
            any |= isInWord;
        }

        return any;
    }

    private static bool IsTitleLetter(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.TitlecaseLetter;
}
