"""The words the fictional town is made of. Common American names; none is meant to be anybody."""

from __future__ import annotations

from typing import Final

GIVEN_F: Final = tuple(
    """
    Abigail Adriana Agnes Alice Alicia Amanda Amber Amelia Amy Andrea Angelica Anna April Ariana Ashley Audrey Aurora Barbara
    Beatrice Bella Bernice Beth Bianca Brenda Brianna Bridget Brooke Camila Carla Carmen Caroline Cassandra Catherine Celeste
    Charlotte Cheryl Chloe Christina Claire Clara Claudia Colleen Connie Cora Crystal Cynthia Daisy Deborah Denise Diana
    Dolores Donna Doris Dorothy Edith Elaine Elena Elizabeth Ella Emily Emma Erica Erin Esperanza Estelle Eva Evelyn Faith
    Fatima Felicia Fiona Florence Frances Gabriela Genevieve Georgia Gina Gladys Gloria Hailey Hannah Harriet Hazel Heather
    Heidi Helen Holly Imani Irene Iris Isabel Ivy Jacqueline Janet Janice Jasmine Jeanette Jenna Jennifer Jessica Jocelyn
    Josephine Joyce Juanita Judith Julia Karen Katherine Kayla Keisha Kendra Kimberly Kristen Latoya Laura Lauren Leah Leila
    Linda Lorraine Lucia Lydia Mabel Madison Margaret Maria Marisol Martha Mei Melanie Melissa Mercedes Mia Michelle Monica
    Naomi Natalie Nicole Nina Nora Olivia Paige Pamela Patricia Paula Penelope Priya Rachel Rebecca Renee Rosa Ruby Sabrina
    Samantha Sandra Sara Selena Shannon Sharon Sheila Sierra Sonia Stephanie Susan Sylvia Tamara Tara Teresa Tiffany Valerie
    Vanessa Veronica Vivian Wanda Whitney Yolanda Zoe
    """.split(),  # noqa: SIM905 -- a list of words reads best as words
)

GIVEN_M: Final = tuple(
    """
    Aaron Abraham Adam Adrian Alan Albert Alejandro Alexander Alfred Amir Andre Andrew Anthony Antonio Arthur Austin Benjamin
    Bernard Blake Bradley Brandon Brent Brian Bruce Bryan Caleb Calvin Cameron Carl Carlos Cedric Chad Charles Christian
    Christopher Clarence Clifford Cody Colin Connor Corey Craig Curtis Damian Darius Darnell Darrell David Dean Dennis Derek
    Devin Diego Dominic Donald Douglas Duane Dustin Dwayne Dylan Earl Edgar Eduardo Edward Eli Elijah Emanuel Enrique Eric
    Ernest Ethan Eugene Evan Felix Fernando Floyd Francis Frank Frederick Gabriel Gary George Gerald Gilbert Glenn Gordon
    Grant Gregory Harvey Hector Henry Herbert Howard Hugo Ian Ibrahim Isaac Isaiah Ivan Jack Jacob Jamal Jared Jason Javier
    Jeffrey Jeremy Jerome Jesse Joel John Jonathan Jorge Joseph Joshua Juan Julian Justin Karl Keith Kenneth Kevin Kyle Lamar
    Lance Larry Lawrence Leo Leon Leroy Lewis Logan Louis Lucas Luis Malcolm Manuel Mario Mark Martin Mason Matthew Maurice
    Max Melvin Micah Michael Miguel Mohammed Nathan Neil Nicholas Noah Norman Oliver Omar Oscar Owen Patrick Pedro Philip
    Quentin Rafael Ralph Ramon Randall Raymond Reginald Ricardo Richard Robert Rodney Roger Roland Ronald Ross Roy Russell
    Ryan Samuel Scott Sean Sergio Seth Shane Simon Stanley Stephen Steven Stuart Terrence Theodore Thomas Timothy Todd Tony
    Travis Trevor Tyler Tyrone Vernon Vincent Wade Walter Warren Wayne Wesley William Xavier Zachary
    """.split(),  # noqa: SIM905 -- a list of words reads best as words
)

SURNAMES: Final = tuple(
    """
    Abbott Acosta Adams Aguilar Alexander Allen Alvarez Anderson Andrews Armstrong Arnold Atkins Austin Avila Bailey Baker
    Baldwin Ball Banks Barber Barker Barnes Barrett Barton Bates Beck Bell Bennett Benson Berry Bishop Black Blair Boone
    Bowman Boyd Bradley Brady Brewer Briggs Brock Brooks Brown Bryant Buchanan Burgess Burke Burns Burton Bush Butler Byrd
    Caldwell Calderon Cameron Campbell Cannon Cardenas Carlson Carpenter Carr Carroll Castillo Castro Chambers Chandler Chang
    Chapman Chavez Chen Christensen Clark Clayton Cobb Coleman Collins Contreras Cook Cooper Cortez Cox Craig Crawford Cruz
    Cunningham Curtis Daniels Davidson Davis Dawson Day Delgado Dennis Diaz Dixon Dominguez Douglas Doyle Duncan Dunn Duran
    Edwards Elliott Ellis Erickson Espinoza Estrada Evans Farmer Ferguson Fernandez Fields Figueroa Fisher Fitzgerald
    Fleming Fletcher Flores Ford Foster Fowler Fox Francis Franklin Frazier Freeman French Fuller Garcia Gardner Garner
    Garrett Garza George Gibbs Gibson Gilbert Gomez Gonzalez Goodman Goodwin Gordon Graham Grant Graves Gray Green Greene
    Griffin Gross Guerrero Gutierrez Guzman Hale Hall Hamilton Hammond Hampton Hansen Hanson Hardy Harmon Harper Harris
    Harrison Hart Harvey Hawkins Hayes Haynes Henderson Henry Herrera Hicks Higgins Hill Hodges Hoffman Holland Holmes
    Holt Hopkins Horton Houston Howard Howell Hubbard Hudson Hughes Hunter Ingram Jackson Jacobs James Jefferson Jenkins
    Jennings Jensen Jimenez Johnson Johnston Jones Jordan Joseph Kelley Kelly Kennedy Kim King Klein Knight Lambert Lane
    Larson Lawrence Lawson Lee Leonard Lewis Little Logan Long Lopez Love Lowe Lucas Lynch Lyons Maldonado Mann Manning
    Marshall Martin Martinez Mason Matthews Maxwell May McBride McCarthy McCormick McCoy McDaniel McDonald McGee McKinney
    Medina Mejia Mendez Mendoza Meyer Miles Miller Mills Miranda Mitchell Molina Montgomery Moody Moore Morales Moran Moreno
    Morgan Morris Morrison Moss Mullins Munoz Murphy Murray Myers Navarro Neal Nelson Newman Newton Nguyen Nichols Norman
    Norris Norton Nunez Obrien Oliver Olson Ortega Ortiz Osborne Owens Pacheco Padilla Palmer Park Parker Parks Parsons Patel
    Patterson Patton Payne Pearson Pena Perez Perkins Perry Peters Peterson Phillips Pierce Pittman Poole Pope Porter Potter
    Powell Powers Price Quinn Ramirez Ramos Ramsey Reed Reese Reeves Reid Reynolds Rhodes Rice Richards Richardson Riley
    Rios Rivera Robbins Roberts Robertson Robinson Robles Rodgers Rodriguez Rogers Rojas Romero Rosales Rose Ross Rowe Ruiz
    Russell Ryan Salinas Sanchez Sanders Sandoval Santiago Santos Saunders Schmidt Schneider Schultz Schwartz Scott Serrano
    Sharp Shaw Shelton Sherman Silva Simmons Simon Simpson Sims Singh Smith Snyder Soto Spencer Stanley Steele Stephens
    Stevens Stevenson Stewart Stokes Stone Strickland Sullivan Sutton Swanson Tate Taylor Thomas Thompson Thornton Todd
    Torres Townsend Tran Tucker Turner Tyler Valdez Valencia Vargas Vasquez Vaughn Vega Velez Wade Wagner Walker Wallace
    Walsh Walters Walton Wang Ward Warner Warren Washington Waters Watkins Watson Watts Weaver Webb Weber Webster Welch
    Wells West Wheeler White Wilkerson Wilkins Williams Williamson Willis Wilson Wise Wolfe Wong Wood Woods Wright Wu Yang
    Yates Young Zamora Zimmerman
    """.split(),  # noqa: SIM905 -- a list of words reads best as words
)

STREETS: Final = tuple(
    f"{name} {kind}"
    for names, kind in (
        ("Alder Ash Aspen Beech Birch Cedar Cherry Chestnut Cypress Dogwood Elm Fir Hawthorn Hickory Laurel Linden", "Street"),
        ("Adams Bank Bridge Canal Church College Depot Front Garden Harbor High Hill Market Mill Pearl River", "Street"),
        ("Grant Hamilton Harding Jackson Jefferson Lafayette Lincoln Madison Monroe Polk Taft Tyler Wilson", "Avenue"),
        ("First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth", "Avenue"),
        ("Bluebird Cardinal Finch Heron Kestrel Meadowlark Oriole Osprey Plover Sparrow Starling Wren", "Lane"),
        ("Briar Clover Fern Foxglove Heather Ivy Larkspur Primrose Sage Thistle Violet Willow", "Drive"),
        ("Amber Copper Crystal Flint Granite Marble Opal Quartz Slate Sterling", "Court"),
        ("Brookside Creekside Eastgate Hillcrest Lakeview Northfield Parkside Ridgeview Southgate Westgate", "Road"),
        ("Commerce Fairmont Gateway Liberty Memorial Union Veterans", "Boulevard"),
    )
    for name in names.split()
)

EMPLOYERS: Final = (
    "Fairmont General Hospital",
    "Fairmont City Schools",
    "Northfield Logistics",
    "Harbor Foods",
    "Kestrel Tool & Die",
    "Union Savings Bank",
    "River Street Diner",
    "Gateway Auto Parts",
    "Lakeview Nursing Home",
    "Fairmont Community College",
    "Sterling Insurance",
    "Creekside Construction",
)

CARS: Final = (
    ("Ford", "F-150"),
    ("Ford", "Escape"),
    ("Chevrolet", "Silverado"),
    ("Chevrolet", "Malibu"),
    ("Toyota", "Camry"),
    ("Toyota", "RAV4"),
    ("Honda", "Civic"),
    ("Honda", "CR-V"),
    ("Nissan", "Altima"),
    ("Hyundai", "Elantra"),
    ("Kia", "Sorento"),
    ("Subaru", "Outback"),
    ("Jeep", "Wrangler"),
    ("Dodge", "Caravan"),
)

COLORS: Final = ("black", "white", "silver", "gray", "blue", "red", "green", "tan")

OFFENSES: Final = (
    "Failure to appear",
    "Theft by unlawful taking",
    "Driving under the influence, second offense",
    "Assault, fourth degree",
    "Burglary, third degree",
    "Possession of a controlled substance",
    "Criminal mischief",
    "Contempt of court",
    "Fleeing or evading police",
    "Nonsupport",
)

INCIDENTS: Final = (
    ("traffic stop", "Stopped for a defective tail light; warned."),
    ("burglary", "Rear door forced while the residents were away."),
    ("theft", "A bicycle was taken from the front porch."),
    ("vandalism", "Windows of a parked car were broken."),
    ("collision", "Two cars collided at low speed; no injuries."),
    ("noise complaint", "Loud music after midnight; parties advised."),
    ("disturbance", "Shouting was reported; all quiet on arrival."),
    ("fraud", "A card was used by somebody else."),
    ("missing person", "Reported overdue; returned on their own."),
    ("welfare check", "Door answered; no assistance needed."),
)
