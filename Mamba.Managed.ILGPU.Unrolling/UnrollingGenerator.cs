using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Mamba.Managed.ILGPU.Unrolling;

/// <summary>Adds to partial types the unrolled forms of their methods that carry [Unrolled].</summary>
/// <remarks>
/// GPU compilers keep locals in registers only where loops are unrolled and arrays are scalars. A kernel is therefore written once, as plain C# with
/// marked loops, which runs as it stands; this generator writes the long form, in a file for each variant:
/// <code>
/// [Unrolled("Sum4", "Lanes=4")]
/// static float Sum(ArrayView&lt;Float4&gt; x, int n)
/// {
///     const int Lanes = 2;
///     float[] sums = new float[Lanes];                    // float sums_0 = default, sums_1 = default, ...
///     for (int k = 0; k &lt; n; k++)                         // stays a loop
///         for (int i = Unroll.From(0); i &lt; Lanes; i++)    // { sums_0 += Square(...); } { sums_1 += ... }
///             sums[i] += Square(x[k][i]);                 // float a = x[k].Y; sums_1 += a * a;
///     return Total(sums);
/// }
/// [Inlined] static float Square(float a) =&gt; a * a;
/// </code>
/// <list type="bullet">
/// <item>Settings ("Lanes=4") replace the values of const locals, and of const fields of the class and what is computed from those.</item>
/// <item>A loop whose only variable starts with Unroll.From is unrolled, each copy a block; start, condition and step must be constant then. Its
/// variable cannot be assigned, and nothing may jump out of it.</item>
/// <item>Local arrays of constant sizes, of one dimension or several, become locals, default at first. Their indices must be constant; Length,
/// GetLength and Rank are; only [Inlined] methods can be given the whole array.</item>
/// <item>An element, at a constant index, of a struct with [Fields] becomes the field in that place.</item>
/// <item>Operators, casts, Math.Min, Math.Max and ?: of constants are computed as C# would at run time. Branches that a constant condition excludes
/// vanish, and with them what would not be valid in them. Locals that are not const are never computed, though they may be constant.</item>
/// <item>Calls of [Inlined] static methods are replaced by their bodies: an expression, or statements that return at the end (or in a branch that a
/// constant condition selects). Constants, arrays, references and locals that do not change are put in the place of parameters; other arguments
/// are evaluated once, before, and the order of evaluation stays that of C#. Where no statement can stand before (conditions of loops, parts of
/// &amp;&amp;, || and ?:), only bodies that are expressions can be inlined. Type parameters are replaced; members must be internal or public.</item>
/// <item>Interpolated strings and sums of strings become literals if all in them is constant: so are PTX instructions written.</item>
/// </list>
/// Not supported: statements try, lock, using, fixed, yield and local functions; lambdas with statements; arrays that are assigned after their
/// declaration. What cannot be unrolled is told by one of <see cref="Diagnostics"/>, and nothing is generated for it.
/// </remarks>
[Generator]
public sealed class UnrollingGenerator : IIncrementalGenerator
{
    /// <summary>The step of the pipeline that expands templates.</summary>
    internal const string ExpansionStep = "Expansion";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        context.RegisterPostInitializationOutput(static output =>
        {
            output.AddEmbeddedAttributeDefinition();
            output.AddSource("Unrolling.Markers.g.cs", SourceText.From(Markers.Source, Encoding.UTF8));
        });
        IncrementalValuesProvider<Expansion> expansions = context.SyntaxProvider
            .ForAttributeWithMetadataName(Markers.Unrolled, static (node, _) => node is MethodDeclarationSyntax, Template.Find)
            .Select(Template.Expand)
            .WithTrackingName(ExpansionStep);
        context.RegisterSourceOutput(expansions, static (output, expansion) =>
        {
            foreach (Problem problem in expansion.Problems)
            {
                output.ReportDiagnostic(problem.ToDiagnostic());
            }

            foreach (GeneratedFile file in expansion.Files)
            {
                output.AddSource(file.Name, SourceText.From(file.Text, Encoding.UTF8));
            }
        });
    }
}
