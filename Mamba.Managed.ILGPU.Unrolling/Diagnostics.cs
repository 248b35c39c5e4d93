using Microsoft.CodeAnalysis;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>What can be wrong with a template. Each line says what was expected, what was found and what to do.</summary>
internal static class Diagnostics
{
    public static readonly DiagnosticDescriptor NotPartial = Error(1, "The type is not partial",
        "The unrolled method '{0}' is added to its type, but type '{1}' is not partial: declare it partial");

    public static readonly DiagnosticDescriptor NotStatic = Error(2, "The template is not static",
        "A template must be a static method with a body, but '{0}' is not: make it static and give it a body");

    public static readonly DiagnosticDescriptor BadName = Error(3, "No name for a method",
        "The name of an unrolled method must be an identifier used once, but found '{0}': choose another");

    public static readonly DiagnosticDescriptor BadSetting = Error(4, "No setting of a constant",
        "Setting '{0}' of '{1}' must be 'Name=constant expression' for a const local or const field of the class: {2}");

    public static readonly DiagnosticDescriptor MisplacedStart = Error(5, "Unroll.From out of place",
        "Unroll.From must start the only variable of a for loop with one step: found '{0}'; write for (int i = Unroll.From(a); i < b; i += c)");

    public static readonly DiagnosticDescriptor LoopNotConstant = Error(6, "An unrolled loop without constant bounds",
        "Start, condition and step of an unrolled loop must be constant, but '{0}' is not: use constants, or drop Unroll.From to keep the loop");

    public static readonly DiagnosticDescriptor TooManyTrips = Error(7, "An unrolled loop that is too long",
        "An unrolled loop may run {0} times at most, but '{1}' runs longer: drop Unroll.From or shorten the loop");

    public static readonly DiagnosticDescriptor JumpFromUnrolled = Error(8, "A jump out of an unrolled loop",
        "No jump may target an unrolled loop or a label inside of it, but found '{0}': use an if, or drop Unroll.From");

    public static readonly DiagnosticDescriptor ConstantAssigned = Error(9, "A variable of an unrolled loop is assigned",
        "'{0}' is constant in the unrolled code, but is assigned here: copy it to a local first");

    public static readonly DiagnosticDescriptor SizeNotConstant = Error(10, "A local array without constant size",
        "Local arrays become scalars and need constant sizes, but '{0}' is not constant (or negative): use constants");

    public static readonly DiagnosticDescriptor IndexNotConstant = Error(11, "An index that is not constant",
        "Elements of '{0}' are scalars and need constant indices, but '{1}' is not constant: unroll the loops that it depends on");

    public static readonly DiagnosticDescriptor IndexOutOfRange = Error(12, "An index out of range",
        "Index {0} of '{1}' must be from 0 to {2}: correct the index or the size");

    public static readonly DiagnosticDescriptor ArrayAsWhole = Error(13, "An array used as a whole",
        "The local array '{0}' becomes scalars, so it can only be indexed, asked for its length or passed to an [Inlined] method: found '{1}'");

    public static readonly DiagnosticDescriptor NotInlinable = Error(14, "A method that cannot be inlined",
        "The [Inlined] method '{0}' must be static, with its source in this compilation, and return only at its end: {1}");

    public static readonly DiagnosticDescriptor Recursion = Error(15, "Recursion of inlined methods",
        "The [Inlined] method '{0}' calls itself, directly or through others: write it without recursion");

    public static readonly DiagnosticDescriptor NoPlaceForStatements = Error(16, "An inlined call where no statement can stand",
        "The body of '{0}' needs statements before this one, but the call stands {1}: assign its result to a local before");

    public static readonly DiagnosticDescriptor NotAccessible = Error(17, "A member that is not accessible",
        "The [Inlined] method uses '{0}', which cannot be reached from '{1}': make it internal");

    public static readonly DiagnosticDescriptor DivisionByZero = Error(18, "Division by zero",
        "The divisor of '{0}' is the constant zero: guard it with a constant condition");

    public static readonly DiagnosticDescriptor NotSupported = Error(19, "Not supported in templates",
        "Templates and [Inlined] methods cannot hold {0}: write it with plain statements");

    public static readonly DiagnosticDescriptor TooLarge = Error(20, "An unrolled method that is too large",
        "The unrolled method may have {0} lines at most, but '{1}' has more: unroll fewer loops");

    private static DiagnosticDescriptor Error(int number, string title, string message) =>
        new($"MMU{number:000}", title, message, "Unrolling", DiagnosticSeverity.Error, isEnabledByDefault: true);
}

/// <summary>Ends the expansion of a template with the reason.</summary>
internal sealed class TemplateException(Problem problem) : Exception
{
    public TemplateException(DiagnosticDescriptor descriptor, SyntaxNodeOrToken node, params object?[] arguments)
        : this(Problem.At(descriptor, node, arguments))
    {
    }

    public Problem Problem { get; } = problem;
}
